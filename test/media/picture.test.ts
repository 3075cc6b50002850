import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { readSource } from '../../src/clips/source.ts'
import { blankFrame, framePsnr, fromPixel, pixelAt, toMp4, toPixel } from '../../src/media/clip.ts'
import {
  contactSheet,
  drawCross,
  drawDisc,
  drawLine,
  keypointPalette,
  sideBySide,
} from '../../src/media/draw.ts'
import { readPicture, writePicture } from '../../src/media/picture.ts'
import { stillPuppet } from '../../src/synthetic/puppet/puppet.ts'
import { fileWord, InputError, shellWord } from '../../src/util/errors.ts'
import { expectFailure, gradientFrame, scratch, writeFrames } from './support.ts'

const path = scratch()

describe('pictures', () => {
  test('png is exact, jpeg and webp are near, and nothing else is left in the folder', async () => {
    const frame = gradientFrame(60, 40)
    for (const [name, psnr] of [
      ['a.png', Infinity],
      ['a.jpg', 38],
      ['a.webp', 33],
    ] as const) {
      await writePicture(path(name), frame)
      const back = await readPicture(path(name))
      expect(framePsnr(back, frame)).toBeGreaterThanOrEqual(psnr)
    }
    expect(readdirSync(dirname(path('x'))).sort()).toEqual(['a.jpg', 'a.png', 'a.webp'])
    await expectFailure(() => writePicture(path('a.bmp'), frame), InputError, '.bmp', '.png')
    await expectFailure(() => writePicture(path('no/a.png'), frame), InputError, 'ENOENT')
  })

  test('are turned by EXIF, flattened on white, and made RGB', async () => {
    const blue = { width: 40, height: 30, channels: 3, background: '#336699' } as const
    await sharp({ create: blue }).withMetadata({ orientation: 6 }).jpeg().toFile(path('turned.jpg'))
    expect(await readPicture(path('turned.jpg'))).toMatchObject({ width: 30, height: 40 })
    const glass = { ...blue, channels: 4, background: { r: 255, g: 0, b: 0, alpha: 0.5 } } as const
    await sharp({ create: glass }).png().toFile(path('glass.png'))
    expect(pixelAt(await readPicture(path('glass.png')), 5, 5)).toEqual([255, 127, 127])
    await sharp({ create: blue }).greyscale().png().toFile(path('grey.png'))
    const grey = await readPicture(path('grey.png'))
    expect(grey.data).toHaveLength(40 * 30 * 3)
    expect(new Set(pixelAt(grey, 3, 3)).size).toBe(1)
  })

  test('that cannot be read are refused with the reason', async () => {
    await expectFailure(() => readPicture(path('nope.png')), InputError, 'nope.png', 'no such file')
    writeFileSync(path('empty.png'), '')
    await expectFailure(() => readPicture(path('empty.png')), InputError, 'empty')
    writeFileSync(path('text.png'), 'no picture')
    await expectFailure(() => readPicture(path('text.png')), InputError, 'not a picture')
    await expectFailure(() => readSource(path('text.png')), InputError, 'neither a picture nor a video')
    writeFileSync(path('huge.svg'), '<svg xmlns="http://www.w3.org/2000/svg" width="20000" height="20000"/>')
    await expectFailure(() => readPicture(path('huge.svg')), InputError, 'too large', '100 megapixels')
    await writePicture(path('whole.jpg'), stillPuppet({ seed: 1 }))
    const bytes = readFileSync(path('whole.jpg'))
    writeFileSync(path('cut.jpg'), bytes.subarray(0, bytes.length / 2))
    await expectFailure(() => readPicture(path('cut.jpg')), InputError, 'damaged')
  })

  test('a source may be a picture, a video or a puppet', async () => {
    const frame = gradientFrame(64, 48)
    await writePicture(path('source.png'), frame)
    await writeFrames(path('source.mp4'), [frame, blankFrame(64, 48)])
    expect(framePsnr(await readSource(path('source.png')), frame)).toBe(Infinity)
    expect(framePsnr(await readSource(path('source.mp4')), frame)).toBeGreaterThan(30)
    expect((await readSource('puppet:4,size=64')).data).toEqual(stillPuppet({ seed: 4, size: 64 }).data)
  })
})

test('commands to be pasted have paths that no shell changes', () => {
  expect(toMp4('films/a-1.avi')).toContain('ffmpeg -i films/a-1.avi -c:v')
  expect(fileWord('-i.avi')).toBe('./-i.avi')
  const path = "my $HOME `id` it's.avi"
  expect(shellWord(path, 'linux')).toBe(`'my $HOME \`id\` it'\\''s.avi'`)
  expect(shellWord('C:\\my films\\', 'win32')).toBe('"C:\\my films\\\\"')
  if (process.platform !== 'win32')
    expect(execFileSync('sh', ['-c', `printf %s ${fileWord(path)}`], { encoding: 'utf8' })).toBe(path)
})

describe('drawing', () => {
  test('discs, lines and crosses colour what they cover and stay within the frame', () => {
    const frame = blankFrame(20, 20)
    drawDisc(frame, 5, 5, 2, [255, 0, 0])
    drawLine(frame, [2, 15], [17, 15], 2, [0, 255, 0])
    drawCross(frame, 15, 5, 3, [0, 0, 255])
    expect(pixelAt(frame, 5, 5)).toEqual([255, 0, 0])
    expect(pixelAt(frame, 10, 15)).toEqual([0, 255, 0])
    expect(pixelAt(frame, 15, 8)[2]).toBeGreaterThan(200)
    expect(pixelAt(frame, 10, 10)).toEqual([0, 0, 0])
    drawDisc(frame, -50, 500, 4, [255, 255, 255])
    drawDisc(frame, 0, 0, 30, [9, 9, 9])
    expect(pixelAt(frame, 19, 0)).toEqual([9, 9, 9])
  })

  test('the palette has colours that differ from each other', () => {
    for (const count of [1, 5, 10, 15]) {
      const colours = keypointPalette(count)
      expect(colours).toHaveLength(count)
      colours.forEach((a, i) => {
        colours.slice(i + 1).forEach((b) => {
          expect(Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])).toBeGreaterThan(20)
        })
      })
    }
  })

  test('sheets put frames where they belong', async () => {
    const frames = [1, 2, 3].map((v) => blankFrame(4, 3, [v, v, v]))
    const sheet = contactSheet(frames, 2, 1)
    expect(sheet).toMatchObject({ width: 9, height: 7 })
    expect(pixelAt(sheet, 5, 0)).toEqual([2, 2, 2])
    expect(pixelAt(sheet, 0, 4)).toEqual([3, 3, 3])
    expect(pixelAt(sheet, 4, 0)).toEqual([255, 255, 255])
    expect(sideBySide(frames)).toMatchObject({ width: 12, height: 3 })
    await expectFailure(() => contactSheet([], 2), InputError, 'at least one frame')
  })

  test('keypoint coordinates: -1 and 1 are the centres of the first and last pixel', () => {
    expect(toPixel(-1, 64)).toBe(0)
    expect(toPixel(1, 64)).toBe(63)
    expect(fromPixel(toPixel(0.3, 64), 64)).toBeCloseTo(0.3)
    expect(fromPixel(0, 1)).toBe(0)
  })
})
