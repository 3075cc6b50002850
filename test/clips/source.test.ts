import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { listClips } from '../../src/clips/source.ts'
import { InputError } from '../../src/util/errors.ts'

const folder = mkdtempSync(join(tmpdir(), 'pantin-clips-'))
const inFolder = (name: string) => join(folder, name)
const hidden = ['.hidden', '._2.MP4', '._face.jpg', '.moved.123-0123456789ab.tmp.mp4']
for (const name of ['10.mp4', '2.MP4', 'a.webm', 'face.jpg', 'notes.txt', ...hidden]) {
  writeFileSync(inFolder(name), 'x')
}
mkdirSync(inFolder('empty'))

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('a list of clips', () => {
  it('has a folder’s videos in the order of their numbers, and pictures where they are wanted', async () => {
    const videos = ['2.MP4', '10.mp4', 'a.webm'].map(inFolder)
    expect(await listClips([folder])).toEqual(videos)
    expect(await listClips([folder], { pictures: true })).toEqual([...videos, inFolder('face.jpg')])
  })

  it('leaves out what pantin made in the folder, unless it is named itself', async () => {
    const clips = inFolder('clips')
    for (const [name, own] of [
      ['moved', 'videos.json'],
      ['run/previews', '../metrics.jsonl'],
    ] as const) {
      mkdirSync(join(clips, name), { recursive: true })
      writeFileSync(join(clips, name, own), '')
      for (const file of ['1.mp4', 'step-1.png', 'step-2.png']) writeFileSync(join(clips, name, file), 'x')
    }
    writeFileSync(join(clips, 'a.mp4'), 'x')
    expect(await listClips([clips])).toEqual([join(clips, 'a.mp4')])
    expect(await listClips([join(clips, 'moved')])).toEqual([join(clips, 'moved', '1.mp4')])
    rmSync(clips, { recursive: true })
  })

  it('has each puppet of a series, with its options, among other names', async () => {
    expect(await listClips(['me.mp4', 'puppet:9..11,frames=8,size=64', 'puppet:7,rate=5'])).toEqual([
      'me.mp4',
      'puppet:9,frames=8,size=64',
      'puppet:10,frames=8,size=64',
      'puppet:11,frames=8,size=64',
      'puppet:7,rate=5',
    ])
  })

  it.each<[string, string, string]>([
    ['a folder without videos', inFolder('empty'), 'there are no videos in this folder'],
    ['a series that runs backwards', 'puppet:5..4', 'there is no such series of puppets'],
    ['more puppets than anybody means', 'puppet:1..999999999', 'for 1 to 100000 puppets'],
  ])('refuses %s', async (_, name, message) => {
    const refused = listClips([name])
    await expect(refused).rejects.toThrow(InputError)
    await expect(refused).rejects.toThrow(message)
  })

  it('leaves what it does not know to who opens it', async () => {
    expect(await listClips(['missing.mp4', 'puppet:x..y'])).toEqual(['missing.mp4', 'puppet:x..y'])
  })
})
