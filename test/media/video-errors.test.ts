/** What is wrong with a video file is said in a way that its owner understands. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { openClip, readSource } from '../../src/clips/source.ts'
import { frameAt, pixelAt } from '../../src/media/clip.ts'
import { openVideo } from '../../src/media/codecs.ts'
import { readPicture } from '../../src/media/picture.ts'
import { rotate } from '../../src/media/sample-pixels.ts'
import { FormatError, InputError } from '../../src/util/errors.ts'
import {
  alter,
  collect,
  expectFailure,
  gradientFrame,
  joinWebm,
  scratch,
  writeFrames,
  writeOddVideo,
  writeSound,
} from './support.ts'

const path = scratch()
const frames = Array.from({ length: 60 }, (_, i) => gradientFrame(96, 64, i))

describe('files that are no videos', () => {
  test('missing, empty, a folder, text', async () => {
    await expectFailure(() => openClip(path('nope.mp4')), InputError, 'nope.mp4', 'no such file')
    writeFileSync(path('empty.mp4'), '')
    await expectFailure(() => openClip(path('empty.mp4')), InputError, 'empty')
    mkdirSync(path('folder.mp4'))
    await expectFailure(() => openClip(path('folder.mp4')), InputError, 'folder')
    writeFileSync(path('text.mp4'), 'Not a video, whatever its name says.')
    await expectFailure(() => openClip(path('text.mp4')), InputError, 'not a video', 'mp4, mov, webm')
  })

  test.skipIf(process.platform === 'win32')('a pipe, which nobody writes to', async () => {
    execFileSync('mkfifo', [path('pipe.mp4')])
    for (const read of [openClip, readSource, readPicture]) {
      await expectFailure(() => read(path('pipe.mp4')), InputError, 'not a file', 'pipe')
    }
  })

  test('a picture is called one', async () => {
    await sharp(gradientFrame(32, 32).data, { raw: { width: 32, height: 32, channels: 3 } })
      .png()
      .toFile(path('p.png'))
    await expectFailure(() => openClip(path('p.png')), InputError, 'this is a picture', 'a video')
  })

  test('sound alone', async () => {
    const file = await writeSound(path('sound.mkv'))
    await expectFailure(() => openClip(file), InputError, 'sound but no pictures')
  })
})

/** Numbers of clusters that begin in a webm, and of whole blocks in it: what a walk through its bytes finds. */
function elements(bytes: Buffer): { clusters: number; blocks: number } {
  const found = { clusters: 0, blocks: 0 }
  for (let at = bytes.indexOf(Buffer.from('1f43b675', 'hex')); at >= 0 && at + 12 < bytes.length; ) {
    const isCluster = bytes.readUInt32BE(at) === 0x1f43b675
    const id = isCluster ? 4 : 1
    const length = Math.clz32(bytes[at + id]!) - 23
    let size = bytes[at + id]! & (0xff >> length)
    for (let i = 1; i < length; i++) size = size * 256 + bytes[at + id + i]!
    const start = at + id + length
    if (isCluster) found.clusters++
    else if (bytes[at] === 0xa3 && start + size <= bytes.length) found.blocks++
    // The blocks of a cluster are inside it.
    at = isCluster ? start : start + size
  }
  return found
}

describe('damaged and unusual videos', () => {
  test('cut short with its index: the frames that are there come out, with a notice', async () => {
    const whole = await writeOddVideo(path('whole.mp4'), frames)
    const half = alter(whole, path('half.mp4'), (bytes) => bytes.subarray(0, Math.floor(bytes.length * 0.7)))
    await using clip = await openVideo(half)
    expect(clip.frameCount).toBeGreaterThan(20)
    expect(clip.frameCount).toBeLessThan(60)
    expect(clip.notices).toEqual([
      expect.stringMatching(
        new RegExp(`cut short: ${60 - clip.frameCount} frames .* the ${clip.frameCount} frames`),
      ),
    ])
    const [read, all] = [await collect(clip.frames()), await collect((await openVideo(whole)).frames())]
    for (const [i, { data }] of read.entries()) expect(Buffer.compare(data, all[i]!.data)).toBe(0)
    expect(read).toHaveLength(clip.frameCount)
  })

  test('a recording without its index is called unfinished', async () => {
    const whole = await writeOddVideo(path('tail.mp4'), frames)
    const start = alter(whole, path('start.mp4'), (bytes) => bytes.subarray(0, 40))
    await expectFailure(() => openVideo(start), InputError, 'was not finished', 'moov', 'untrunc')
  })

  test('webm that holds less than it promises gives what it holds', async () => {
    const webm = await writeOddVideo(path('whole.webm'), frames)
    const part = alter(webm, path('part.webm'), (bytes) => bytes.subarray(0, Math.floor(bytes.length * 0.6)))
    await using clip = await openVideo(part)
    // The file is cut in the middle of a cluster, whose blocks before the cut are whole.
    const { clusters, blocks } = elements(readFileSync(part))
    expect(clusters).toBeGreaterThan(0)
    expect(clip.frameCount).toBe(blocks)
    expect(await collect(clip.frames())).toHaveLength(clip.frameCount)
    expect(clip.notices?.join()).toContain('cut short')
  })

  test.each([
    // Frames at a rate, and seconds that the header promises beyond them: at most 0.5 s or 2% of the length pass.
    { count: 25, frameRate: 25, passes: 0.4, fails: 0.6 },
    { count: 60, frameRate: 1, passes: 1.1, fails: 1.4 },
  ])('a header that promises more than $count frames at $frameRate a second', async (promise) => {
    const { count, frameRate, passes, fails } = promise
    const few = Array.from({ length: count }, (_, i) => gradientFrame(32, 32, i))
    const whole = await writeFrames(path(`promise${count}.webm`), few, { frameRate, codec: 'vp8' })
    const promising = (seconds: number) =>
      alter(whole, path(`promise${count}-${seconds}.webm`), (bytes) => {
        // The element Duration, a float64 in milliseconds.
        const at = bytes.indexOf(Buffer.from('448988', 'hex'))
        expect(at).toBeGreaterThan(0)
        bytes.writeDoubleBE(1000 * (count / frameRate + seconds), at + 3)
        return bytes
      })
    await using good = await openVideo(promising(passes))
    expect(good).toMatchObject({ frameCount: count, notices: [] })
    await using short = await openVideo(promising(fails))
    expect(short).toMatchObject({ frameCount: count, notices: [expect.stringContaining('cut short')] })
  })

  test('an index that claims more frames than the file has room for', async () => {
    const whole = await writeOddVideo(path('small.mp4'), frames.slice(0, 3))
    // One chunk of two million frames of a byte each.
    const claiming = alter(whole, path('claiming.mp4'), (bytes) => {
      const put = (box: string, numbers: readonly number[]) =>
        bytes.set(Buffer.from(Uint32Array.from(numbers).buffer).swap32(), bytes.indexOf(box) + 8)
      put('stts', [1, 2e6, 512])
      put('stsc', [1, 1, 2e6, 1])
      put('stsz', [1, 2e6])
      return bytes
    })
    const begun = performance.now()
    await expectFailure(() => openVideo(claiming), FormatError, 'damaged', 'claims more frames')
    expect(performance.now() - begun).toBeLessThan(5000)
  })

  test('a table that claims a quarter of a thousand million frames is refused before it is read', async () => {
    const whole = await writeOddVideo(path('table.mp4'), frames.slice(0, 3))
    const claiming = alter(whole, path('table-claims.mp4'), (bytes) => {
      bytes.writeUInt32BE(0xfffffff, bytes.indexOf('stts') + 12)
      return bytes
    })
    const begun = performance.now()
    await expectFailure(() => openVideo(claiming), FormatError, 'damaged', 'claims more frames')
    expect(performance.now() - begun).toBeLessThan(1000)
  })

  test('frames that would fill the memory, as they are stored or shown', async () => {
    const whole = await writeOddVideo(path('modest.mp4'), frames.slice(0, 3))
    const shown = (name: string, across: number, down: number) =>
      alter(whole, path(name), (bytes) => {
        // The box of colours becomes one of the shape of pixels, which is shorter.
        const at = bytes.indexOf('colr')
        bytes.write('pasp', at, 'latin1')
        bytes.writeUInt32BE(across, at + 4)
        bytes.writeUInt32BE(down, at + 8)
        return bytes
      })
    const expected = ['have a size', 'as they are shown', '100 megapixels', 'a side', 'smaller']
    for (const [name, across, down, size] of [
      ['high.mp4', 1, 300_000, '96 x 19200000'],
      ['wide.mp4', 20_000, 1, '1920000 x 64'],
      ['widest.mp4', 0xffffffff, 1, ' x 64'],
    ] as const) {
      const begun = performance.now()
      await expectFailure(() => openVideo(shown(name, across, down)), InputError, name, size, ...expected)
      expect(performance.now() - begun).toBeLessThan(1500)
    }
    await using double = await openVideo(shown('double.mp4', 2, 1))
    expect(double).toMatchObject({ width: 192, height: 64 })
    const stored = alter(whole, path('stored.mp4'), (bytes) => {
      bytes.writeUInt32BE(0xfffffffe, bytes.indexOf('avc1', bytes.indexOf('stsd')) + 28)
      return bytes
    })
    await expectFailure(() => openVideo(stored), InputError, '65535 x 65534', 'as they are stored')
  })

  test('a container that the library never finishes reading is given up, and a signal ends it at once', async () => {
    // An element that ends eight bytes before the file does.
    const bytes = Buffer.from(
      [
        '1a45dfa39f4286810142f70000ffff810442f381084282847765626d4287810242858102185380670100c01254',
        'c36753ac82012a4dbb8c53ab841c53bb6b',
      ].join(''),
      'hex',
    )
    writeFileSync(path('never.webm'), bytes)
    const turns = { count: 0 }
    const timer = setInterval(() => turns.count++, 50)
    await expectFailure(
      () => openVideo(path('never.webm')),
      FormatError,
      'hold the program up',
      'no progress',
    )
    clearInterval(timer)
    expect(turns.count).toBeGreaterThan(10)
    const signal = AbortSignal.timeout(300)
    const begun = performance.now()
    await expect(openVideo(path('never.webm'), { signal })).rejects.toThrow('timeout')
    expect(performance.now() - begun).toBeLessThan(1500)
  })

  test('a playlist, which would lead to other files', async () => {
    await writeOddVideo(path('part.mp4'), frames.slice(0, 3))
    const list = ['#EXTM3U', '#EXT-X-TARGETDURATION:1', '#EXTINF:0.12,', 'part.mp4', '#EXT-X-ENDLIST', '']
    writeFileSync(path('list.mp4'), list.join('\n'))
    await expectFailure(() => openVideo(path('list.mp4')), InputError, 'not a video')
  })

  test('a codec that no decoder here knows', async () => {
    const whole = await writeOddVideo(path('codec.mp4'), frames.slice(0, 3))
    const odd = alter(whole, path('odd.mp4'), (bytes) => {
      bytes.write('zzz1', bytes.indexOf('avc1', bytes.indexOf('stsd')), 'latin1')
      return bytes
    })
    await expectFailure(() => openVideo(odd), InputError, 'codec', 'zzz1', 'H.264')
  })

  test('a frame of another size is fitted into the first, and keeps its shape', async () => {
    const wide = await writeOddVideo(path('wide.webm'), frames.slice(0, 5))
    const square = Array.from({ length: 5 }, (_, i) => gradientFrame(128, 128, i))
    const narrow = await writeOddVideo(path('narrow.webm'), square)
    await using clip = await openVideo(await joinWebm(wide, narrow, path('mixed.webm')))
    const read = await collect(clip.frames())
    expect(read.map(({ width, height }) => [width, height])).toEqual(Array(10).fill([96, 64]))
    // 64 x 64 in the middle of 96 x 64.
    expect(pixelAt(read[7]!, 8, 32)).toEqual([0, 0, 0])
    expect(pixelAt(read[7]!, 88, 32)).toEqual([0, 0, 0])
    const [left, right] = [pixelAt(read[7]!, 18, 32), pixelAt(read[7]!, 77, 32)]
    expect(left[0]).toBeLessThan(30)
    expect(right[0]).toBeGreaterThan(225)
  })

  test('one frame is a clip', async () => {
    const clip = await openVideo(await writeOddVideo(path('one.mp4'), frames.slice(0, 1)))
    expect(clip.frameCount).toBe(1)
    expect(clip.frameRate).toBeGreaterThan(0)
    expect(await collect(clip.frames())).toHaveLength(1)
  })
})

describe('rotation metadata rotates the pixels', () => {
  test('each pixel goes to its place, mirrored after the rotation', () => {
    // Pixels a to f in two rows.
    const letters = ['abc', 'def']
    const pixels = {
      width: 3,
      height: 2,
      data: Uint8Array.from(
        [...letters.join('')].flatMap((letter) => [0, 1, 2].map((c) => letter.charCodeAt(0) + c)),
      ),
    }
    const rotated = (rotation: 0 | 90 | 180 | 270, flip: boolean) => {
      const { width, height, data } = rotate(pixels, rotation, flip)
      for (let i = 0; i < data.length; i += 3)
        expect([data[i + 1], data[i + 2]]).toEqual([data[i]! + 1, data[i]! + 2])
      return Array.from({ length: height }, (_, y) =>
        String.fromCharCode(...Array.from({ length: width }, (_, x) => data[(y * width + x) * 3]!)),
      )
    }
    expect(rotated(0, false)).toEqual(['abc', 'def'])
    expect(rotated(90, false)).toEqual(['da', 'eb', 'fc'])
    expect(rotated(180, false)).toEqual(['fed', 'cba'])
    expect(rotated(270, false)).toEqual(['cf', 'be', 'ad'])
    expect(rotated(0, true)).toEqual(['cba', 'fed'])
    expect(rotated(90, true)).toEqual(['ad', 'be', 'cf'])
    expect(rotated(180, true)).toEqual(['def', 'abc'])
    expect(rotated(270, true)).toEqual(['fc', 'eb', 'da'])
  })

  // The gradient grows in red to the right and in green downward: where both are low was top left.
  const corners = { topLeft: [0, 0], topRight: [1, 0], bottomRight: [1, 1], bottomLeft: [0, 1] } as const
  const cases = [
    { rotation: 90, darkest: 'topRight' },
    { rotation: 180, darkest: 'bottomRight' },
    { rotation: 270, darkest: 'bottomLeft' },
  ] as const
  for (const { rotation, darkest } of cases) {
    test(`${rotation} degrees clockwise`, async () => {
      const file = await writeOddVideo(path(`turned${rotation}.mp4`), frames.slice(0, 2), { rotation })
      const clip = await openVideo(file)
      const sideways = rotation !== 180
      expect(clip).toMatchObject(sideways ? { width: 64, height: 96 } : { width: 96, height: 64 })
      const frame = await frameAt(clip, 0)
      const at = ([x, y]: readonly [number, number]) => {
        const [r, g] = pixelAt(frame, 2 + x * (frame.width - 5), 2 + y * (frame.height - 5))
        return r + g
      }
      const sums = Object.entries(corners).map(([name, corner]) => ({ name, sum: at(corner) }))
      expect(sums.sort((a, b) => a.sum - b.sum)[0]!.name).toBe(darkest)
    })
  }
})
