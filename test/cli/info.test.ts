/** `pantin info` of files and folders: videos, pictures, animations, folders of them, runs, and what is none of these. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { packRun } from '../../src/convert/export-folder.ts'
import { randomRun } from '../animate/support.ts'
import { gradientFrame, scratch, writeFrames } from '../media/support.ts'
import { runHere } from './run.ts'

const path = scratch()
const frames = Array.from({ length: 10 }, (_, i) => gradientFrame(96, 64, i))

async function info(name: string) {
  const { code, stdout, stderr } = await runHere('info', name, '--json')
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout) as Record<string, unknown>
}

async function gif(to: string, count: number): Promise<void> {
  const { width, height } = frames[0]!
  const pictures = frames.slice(0, count).map(({ data }) =>
    sharp(data, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer(),
  )
  const all = await Promise.all(pictures)
  await (count === 1 ? sharp(all[0]) : sharp(all, { join: { animated: true } }))
    .gif({ delay: all.map(() => 80) })
    .toFile(to)
}

test('a folder of numbered pictures is a clip', async () => {
  const folder = path('numbered')
  mkdirSync(folder)
  for (const [i, { width, height, data }] of frames.entries())
    await sharp(data, { raw: { width, height, channels: 3 } }).toFile(`${folder}/${i}.png`)
  expect(await info(folder)).toMatchObject({
    ...{ file: folder, kind: 'folder of numbered pictures', width: 96, height: 64 },
    ...{ frames: 10, frameRate: 10, duration: 1 },
  })
})

test('of a folder of videos, each clip is told, animated GIFs among them', async () => {
  const folder = path('many')
  mkdirSync(`${folder}/inner`, { recursive: true })
  await writeFrames(`${folder}/a.mp4`, frames)
  copyFileSync(`${folder}/a.mp4`, `${folder}/inner/b.mp4`)
  await gif(`${folder}/moving.gif`, 5)
  await gif(`${folder}/still.gif`, 1)
  const { clips } = await info(folder)
  expect(clips).toMatchObject([
    { file: `${folder}/a.mp4`, kind: 'MP4', frames: 10, duration: expect.closeTo(0.4, 3) },
    { file: `${folder}/inner/b.mp4`, frames: 10 },
    { file: `${folder}/moving.gif`, kind: 'gif', frames: 5, duration: expect.closeTo(0.4, 3) },
  ])
  expect((await runHere('info', folder)).stdout).toMatch(/3 clips, 1\.20 s/)
})

test('a video that cannot be read does not hide the others of its folder', async () => {
  const folder = path('with a bad one')
  mkdirSync(folder)
  await writeFrames(`${folder}/a.mp4`, frames)
  writeFileSync(`${folder}/b.mp4`, 'no video')
  copyFileSync(`${folder}/a.mp4`, `${folder}/c.mp4`)
  const told = await runHere('info', folder)
  expect(told.code).toBe(2)
  expect(told.stdout).toMatch(
    /a\.mp4 [\s\S]*c\.mp4 [\s\S]*b\.mp4 +cannot be read: [\s\S]*2 clips, 0\.80 s; 1 cannot/,
  )
  expect(told.stderr).toMatch(/^pantin: .*b\.mp4: /)
  const { code, stdout } = await runHere('info', folder, '--json')
  expect(code).toBe(2)
  expect(JSON.parse(stdout)).toMatchObject({
    clips: [{ file: `${folder}/a.mp4` }, { file: `${folder}/c.mp4` }],
    failed: [{ file: `${folder}/b.mp4`, error: { what: expect.any(String) } }],
  })
})

test('a synthetic clip is told', async () => {
  expect(await info('puppet:3,frames=4,size=64')).toMatchObject({
    kind: 'synthetic clip',
    frames: 4,
    width: 64,
  })
})

test.each<[string, RegExp]>([
  ['missing.mp4', /there is no such file/],
  ['no/such/folder', /there is no such file/],
  ['model.pth', /this is a checkpoint[\s\S]*pantin import/],
  ['empty', /not a run/],
])('%s is refused in words that fit', async (name, words) => {
  if (name === 'empty') mkdirSync(path(name))
  if (name === 'model.pth') writeFileSync(path(name), 'x')
  const { code, stderr } = await runHere('info', path(name))
  expect(stderr).toMatch(words)
  expect(code).toBe(2)
})

test('of a run, its precision is told, and what it was compressed for', async () => {
  const run = await randomRun(path('whole'), { generator: false })
  expect(await info(run)).toMatchObject({ weights: 'fp32', compression: null })
  const told = async (folder: string) => (await runHere('info', folder)).stdout
  expect(await told(run)).not.toMatch(/half precision|compressed/)

  await packRun(run, path('packed'))
  expect(await info(path('packed'))).toMatchObject({ weights: 'fp16', compression: null })
  expect(await told(path('packed'))).toMatch(/weights +in half precision$/m)

  const file = path('packed/config.json')
  const packed = JSON.parse(readFileSync(file, 'utf8')) as object
  const compressedFor = async (compression: object) => {
    writeFileSync(file, JSON.stringify({ ...packed, compression }))
    const { compression: read } = await info(path('packed'))
    return [read, (await told(path('packed'))).match(/^compressed +(.*)$/m)?.[1]]
  }
  const plan = { graph: 'a', ops: ['b'], scales: {}, largestWeight: 127 }
  expect(await compressedFor({ device: 'cpu', eightBits: { detector: plan, frame: plan } })).toEqual([
    { device: 'cpu', eightBits: ['detector', 'frame'], halves: false },
    'for cpu; in eight bits: detector, frame',
  ])
  expect(await compressedFor({ device: 'webgpu', eightBits: {}, halves: true })).toEqual([
    { device: 'webgpu', eightBits: [], halves: true },
    'for webgpu; computes in half precision on a GPU that can',
  ])
  expect(await compressedFor({ device: 'wasm' })).toEqual([
    { device: 'wasm', eightBits: [], halves: false },
    'for wasm',
  ])
})
