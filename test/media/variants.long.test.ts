/**
 * Videos as people have them, many of a kind: number of frames, times and pictures are as FFmpeg gives them, and a notice says
 * what is wrong with a file. The videos are made with FFmpeg, which must be installed.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Frame } from '../../src/media/clip.ts'
import { openVideo } from '../../src/media/codecs.ts'
import { collect, scratch } from './support.ts'

const isHere = spawnSync('ffmpeg', ['-version']).status === 0
const title = isHere ? 'variants' : 'variants: skipped, FFmpeg is not here'

const source = ['-f', 'lavfi', '-i', 'testsrc2=s=96x64:r=25:d=2']
const tone = ['-f', 'lavfi', '-i', 'sine=440:d=2']
const x264 = ['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p', '-g', '10', '-bf', '2']
const x265 = [
  ...['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none', '-pix_fmt', 'yuv420p'],
  ...['-g', '25', '-tag:v', 'hvc1'],
]
const vp8 = ['-c:v', 'libvpx', '-cpu-used', '8', '-b:v', '300k', '-g', '10']
const vp9 = ['-c:v', 'libvpx-vp9', '-cpu-used', '8', '-b:v', '300k', '-g', '10']
const av1 = ['-c:v', 'libaom-av1', '-cpu-used', '8', '-b:v', '300k', '-g', '10', '-pix_fmt', 'yuv420p']
const openGroups = [...x264.slice(0, -4), '-g', '12', '-bf', '2', '-x264-params', 'open-gop=1']
const fragments = ['-movflags', 'frag_keyframe+empty_moov+default_base_moof']

/** One second at 25 frames per second, then 5 frames per second. */
const slower = [
  ...['-vf', "settb=1/90000,setpts='if(lt(N,25),N/25,1+(N-25)/5)/TB'", '-fps_mode', 'vfr'],
  ...['-enc_time_base', '1:90000'],
]

const ffmpeg = (...args: string[]) =>
  execFileSync('ffmpeg', ['-v', 'error', '-y', ...args], { stdio: ['ignore', 'pipe', 'ignore'] })

/** What FFmpeg decodes: times in seconds from the first frame, and pixels. */
function decoded(file: string) {
  const { stdout, stderr } = spawnSync(
    'ffmpeg',
    [
      ...['-hide_banner', '-i', file, '-map', '0:v:0', '-fps_mode', 'passthrough', '-vf', 'showinfo'],
      ...['-pix_fmt', 'rgb24', '-f', 'rawvideo', '-'],
    ],
    { maxBuffer: 1e9 },
  )
  const stamps = [...stderr.toString().matchAll(/showinfo.* pts_time:(\S+)/g)].map(([, time]) => Number(time))
  return { times: stamps.map((time) => time - stamps[0]!), pixels: stdout }
}

const meanDifference = (a: Uint8Array, b: Uint8Array) =>
  a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length

/** A frame that is one too early or too late differs by more. */
function expectSame(frames: readonly Frame[], { times, pixels }: ReturnType<typeof decoded>): void {
  expect(frames).toHaveLength(times.length)
  for (const [i, { time, data }] of frames.entries()) {
    expect(Math.abs(time - times[i]!), `time of frame ${i}`).toBeLessThan(0.002)
    const wanted = pixels.subarray(i * data.length, (i + 1) * data.length)
    expect(meanDifference(data, wanted), `pixels of frame ${i}`).toBeLessThan(7.5)
  }
}

describe.skipIf(!isHere)(title, () => {
  const path = scratch()
  let count = 0
  const named = (ending: string) => path(`${++count}.${ending}`)
  const made = (ending: string, ...args: string[]) => {
    const file = named(ending)
    ffmpeg(...args, file)
    return file
  }
  const changed = (file: string, change: (bytes: Buffer) => Uint8Array, ending = /[^.]*$/.exec(file)![0]) => {
    const to = named(ending)
    writeFileSync(to, change(readFileSync(file)))
    return to
  }
  const cut = (file: string, part: number) =>
    changed(file, (bytes) => bytes.subarray(0, Math.floor(bytes.length * part)))
  const read = async (file: string) => {
    await using clip = await openVideo(file)
    return { clip, frames: await collect(clip.frames()), notices: clip.notices ?? [] }
  }

  test.each<[string, () => string]>([
    ['rate in mkv', () => made('mkv', ...source, ...slower, ...x264)],
    ['rate in webm', () => made('webm', ...source, ...slower, ...vp9)],
    ['rate in ts', () => made('ts', ...source, ...slower, ...x264)],
    ['a start in the middle of H.264', () => made('mp4', '-ss', '0.7', '-i', whole(x264), '-c', 'copy')],
    ['a start in the middle of H.265', () => made('mov', '-ss', '0.7', '-i', whole(x265), '-c', 'copy')],
    ['a start and an end', () => made('mp4', '-ss', '1.3', '-i', whole(x264), '-t', '0.5', '-c', 'copy')],
    ['a start in an open group', () => made('mp4', '-ss', '1', '-i', whole(openGroups), '-c', 'copy')],
    ['a delay', () => made('mp4', '-itsoffset', '0.8', '-i', whole(x264), '-c', 'copy')],
    ['open groups in ts', () => made('ts', ...source, ...openGroups)],
    ['a clock of H.265 that wraps', () => made('ts', ...source, ...x265, '-output_ts_offset', '95442.9')],
    [
      'packets of 192 bytes',
      () => made('m2ts', ...source, ...x264, '-mpegts_m2ts_mode', '1', '-f', 'mpegts'),
    ],
  ])('%s', async (_, file) => {
    const made = file()
    const { frames, notices } = await read(made)
    expectSame(frames, decoded(made))
    expect(notices).toEqual([])
  })
  const whole = (codec: readonly string[]) => made('mp4', ...source, ...codec)

  test.each<[string, readonly number[]]>([
    ['begins again twice', [0, 0, 0]],
    ['jumps forward', [0, 5000]],
    ['falls back', [8, 1.5]],
  ])('a clock that %s', async (_, offsets) => {
    const parts = offsets.map((offset) =>
      readFileSync(made('ts', ...source, ...x264, '-output_ts_offset', `${offset}`)),
    )
    const joined = named('ts')
    writeFileSync(joined, Buffer.concat(parts))
    const { clip, frames } = await read(joined)
    const all = 50 * offsets.length
    expect(clip).toMatchObject({ frameRate: 25, frameCount: all, duration: expect.closeTo(all / 25, 3) })
    frames.forEach(({ time }, i) => {
      expect(time).toBeCloseTo(i / 25, 3)
    })
  })

  test.each<[string, string, readonly string[]]>([
    ['fragments with sound', 'mp4', [...source, ...tone, ...x264, '-c:a', 'aac', ...fragments]],
    ['fragments of AV1', 'mp4', [...source, ...av1, ...fragments]],
    ['an index in front', 'mov', [...source, ...tone, ...x264, '-c:a', 'aac', '-movflags', 'faststart']],
    ['mkv with sound', 'mkv', [...source, ...tone, ...x264, '-c:a', 'aac']],
    ['a live webm', 'webm', [...source, ...vp8, '-live', '1']],
    ['many clusters', 'webm', [...source, ...vp9, '-cluster_time_limit', '400']],
    ['MPEG-TS', 'ts', [...source, ...x264]],
  ])('a recording cut short: %s', async (_, ending, args) => {
    // MPEG-TS has no length. That it is cut shows in its last packet.
    const file = changed(cut(made(ending, ...args), 0.6), (bytes) => bytes.subarray(0, -50))
    const { frames, notices } = await read(file)
    expect(Math.abs(frames.length - decoded(file).times.length)).toBeLessThanOrEqual(1)
    expect(frames.length).toBeGreaterThan(20)
    expect(notices).toEqual([expect.stringMatching(/the file is cut short/)])
  })

  /** Position and number of bytes of a packet of video. */
  function packet(file: string, number: number): [at: number, size: number] {
    const args = ['-v', 'error', '-select_streams', 'v', '-show_entries', 'packet=pos,size', '-of', 'json']
    const { packets } = JSON.parse(execFileSync('ffprobe', [...args, file], { encoding: 'utf8' })) as {
      packets: { pos: string; size: string }[]
    }
    const { pos, size } = packets[number]!
    return [Number(pos), Number(size)]
  }

  test.each<[string, string, readonly string[]]>([
    ['H.264 in mkv', 'mkv', x264],
    ['VP8 in webm', 'webm', vp8],
    ['VP9 in webm', 'webm', vp9],
    ['H.264 in ts', 'ts', x264],
    ['H.265 in mp4', 'mp4', x265],
  ])('a frame that is overwritten costs itself: %s', async (_, ending, codec) => {
    const file = made(ending, ...source, ...codec)
    const [at, size] = packet(file, 33)
    const { frames, notices } = await read(changed(file, (bytes) => bytes.fill(0, at, at + size)))
    const good = frames.filter(({ damaged }) => !damaged)
    expect(good.length).toBeGreaterThanOrEqual(48)
    for (const { time } of frames) expect(time * 25).toBeCloseTo(Math.round(time * 25), 1)
    // The notice names the second.
    expect(notices.join(' ')).toMatch(/1\.[234]\d s/)
  })

  test('bytes of MPEG-TS that are missing or added cost the frames around them', async () => {
    const file = made('ts', ...source, ...x264)
    const odd = changed(file, (bytes) =>
      Buffer.concat([
        ...[bytes.subarray(0, 10_001), bytes.subarray(10_100, 15_000), Buffer.alloc(777, 0x47)],
        bytes.subarray(15_000),
      ]),
    )
    const { frames, notices } = await read(odd)
    expect(frames.length).toBeGreaterThanOrEqual(40)
    expect(notices[0]).toMatch(/damaged places/)
  })

  test.each<[string, string, readonly string[]]>([
    ['VP9', 'webm', vp9],
    ['H.264', 'ts', x264],
    ['AV1', 'mkv', av1],
  ])('%s whose frames change their size', async (_, ending, codec) => {
    const parts = ['160x120', '256x144'].map((size, i) =>
      made(
        ...[ending, '-f', 'lavfi', '-i', `testsrc2=s=${size}:r=25:d=1`, ...codec],
        ...(ending === 'ts' ? ['-output_ts_offset', `${i}`] : []),
      ),
    )
    const list = named('txt')
    writeFileSync(list, parts.map((file) => `file ${file}`).join('\n'))
    const joined = named(ending)
    if (ending === 'ts') writeFileSync(joined, Buffer.concat(parts.map((file) => readFileSync(file))))
    else ffmpeg('-f', 'concat', '-safe', '0', '-i', list, '-c', 'copy', joined)
    const { clip, frames } = await read(joined)
    expect(clip).toMatchObject({ width: 160, height: 120, frameCount: 50 })
    expect(frames.every(({ data }) => data.length === 160 * 120 * 3)).toBe(true)
  })
})
