/** Generated media say that they are: read back by pantin, and by readers that know nothing of it. */
import { readFileSync, writeFileSync } from 'node:fs'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { describeMedia } from '../../src/clips/source.ts'
import { type Mark, markPng, sourceTypeIn } from '../../src/media/mark.ts'
import { writePicture } from '../../src/media/picture.ts'
import { gradientFrame, scratch, writeFrames } from './support.ts'

const path = scratch()
const frames = [0, 1, 2].map((i) => gradientFrame(64, 48, i))
const mark: Mark = 'trainedAlgorithmicMedia'
const term = `http://cv.iptc.org/newscodes/digitalsourcetype/${mark}`

test.each(['mp4', 'mov', 'webm', 'mkv'])(
  '%s has its mark, and the same frames as without',
  async (ending) => {
    const marked = await writeFrames(path(`a.${ending}`), frames, { mark })
    const plain = await writeFrames(path(`b.${ending}`), frames)
    const { mark: found, ...facts } = await describeMedia(marked)
    const { mark: none, ...same } = await describeMedia(plain)
    expect([found, none]).toEqual([mark, undefined])
    expect({ ...facts, file: '' }).toEqual({ ...same, file: '' })
    expect(facts).toMatchObject({ width: 64, height: 48, frames: 3, frameRate: 25 })
    expect(readFileSync(marked).includes(term)).toBe(true)
    expect(readFileSync(plain).includes('digitalsourcetype')).toBe(false)
  },
)

test('the box of an mp4 follows all others, and has the length that it says', async () => {
  const file = readFileSync(await writeFrames(path('c.mp4'), frames, { mark }))
  const kinds: string[] = []
  let at = 0
  for (; at < file.length; at += file.readUInt32BE(at)) {
    kinds.push(file.toString('latin1', at + 4, at + 8))
    if (kinds.at(-1) === 'uuid')
      expect(file.toString('hex', at + 8, at + 24)).toBe('be7acfcb97a942e89c71999491e3afac')
  }
  expect(at).toBe(file.length)
  expect(kinds.at(-1)).toBe('uuid')
})

test.each(['png', 'jpg', 'webp'])('%s has its mark', async (ending) => {
  const file = path(`still.${ending}`)
  await writePicture(file, frames[0]!, mark)
  expect((await sharp(file).metadata()).xmpAsString).toContain(term)
  expect(await describeMedia(file)).toMatchObject({ mark, width: 64, height: 48, frames: 1, duration: 0 })
  await writePicture(file, frames[0]!)
  expect((await describeMedia(file)).mark).toBeUndefined()
})

test('a PNG of other programs is marked, and keeps its pixels', async () => {
  const before = await sharp(Buffer.from(frames[0]!.data), { raw: { width: 64, height: 48, channels: 3 } })
    .png()
    .toBuffer()
  const file = path('other.png')
  writeFileSync(file, markPng(before, mark))
  const { xmpAsString } = await sharp(file, { failOn: 'warning' }).metadata()
  expect(xmpAsString).toContain(term)
  expect(await sharp(file, { failOn: 'warning' }).raw().toBuffer()).toEqual(Buffer.from(frames[0]!.data))
})

test('marks of other programs are read, as attributes too', () => {
  expect(sourceTypeIn(`<rdf:Description Iptc4xmpExt:DigitalSourceType="${term}"/>`)).toBe(mark)
  expect(sourceTypeIn(`<rdf:li rdf:resource='${term.replace(mark, 'digitalCapture')}'/>`)).toBe(
    'digitalCapture',
  )
  expect(sourceTypeIn('trainedAlgorithmicMedia')).toBeUndefined()
})
