// Inputs that people reported, in ../shared/cases: for each what must come of it, by the command line. Their essence is in tests
// of the project's own; here the files themselves are run.
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ALL_FORMATS, FilePathSource, Input } from 'mediabunny'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openClip } from '../../src/clips/source.ts'
import { readSafetensors } from '../../src/formats/safetensors/safetensors.ts'
import { type Cli, compileCli, type Outcome } from '../cli/run.ts'
import { bars } from '../media/support.ts'

const cases = fileURLToPath(new URL('../../../shared/cases', import.meta.url))
const isHere = existsSync(cases)
const title = isHere ? 'reported inputs' : 'reported inputs: skipped, ../shared/cases is not here'

/** A starter, which stands for a run. */
const run = 'face-small'

interface Track {
  readonly frames: readonly { readonly time: number; readonly value: readonly (readonly number[])[] | null }[]
}

describe.skipIf(!isHere)(title, () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'pantin-cases-')))
  const at = (name: string) => join(folder, name)
  const given = (path: string) => resolve(cases, path)
  let cli: Cli
  beforeAll(() => {
    cli = compileCli()
  }, 240_000)
  afterAll(() => {
    cli?.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  const pantin = (...args: string[]) => cli.run(args)
  let number = 0
  /** Tracks a clip. @returns the keypoints and the path of the overlay */
  async function tracked(clip: string): Promise<{ track: Track; overlay: string; said: string }> {
    const [out, overlay] = [at(`${++number}.json`), at(`${number}.mp4`)]
    const { code, stderr } = await pantin('track', run, given(clip), '--out', out, '--overlay', overlay)
    expect(code, stderr).toBe(0)
    return { track: JSON.parse(readFileSync(out, 'utf8')) as Track, overlay, said: stderr }
  }
  const refused = ({ code, stderr }: Outcome, words: RegExp) => {
    expect(stderr).toMatch(words)
    expect(stderr).not.toMatch(/bug in pantin/)
    expect(code).toBe(2)
  }
  const imported = (file: string, ...more: string[]) =>
    pantin(
      ...['import', given(file), '--net', 'erfnet', '--outputs', '20', '--partial'],
      ...['--out', at('net'), '--force', ...more],
    )

  describe('videos', () => {
    test.each(['alpha8.webm', 'alpha9.webm'])('alpha-webm/%s is shown over white', async (name) => {
      const { track, overlay } = await tracked(`alpha-webm/${name}`)
      expect(track.frames).toHaveLength(50)
      for (const value of await meanColour(overlay, [0, 0, 0.12, 0.12])) expect(value).toBeGreaterThan(240)
    })

    test.each([
      ['cut-recordings/frag-cut.mp4', 32, 12],
      ['cut-recordings/cut.mkv', 31, 12],
      ['damaged-packet/zero30.mp4', 49, 1],
      ['damaged-packet/zero12.mp4', 49, 1],
    ])('%s gives its whole frames, and says what is wrong', async (file, frames, off) => {
      const { track, said } = await tracked(file)
      expect(Math.abs(track.frames.length - frames)).toBeLessThanOrEqual(off)
      expect(said).toMatch(/damaged|cut short|ends early/)
    })

    test('edit-list-end: what was cut away is not there', async () => {
      const { track } = await tracked('edit-list-end/trim.mp4')
      const whole = await tracked('edit-list-end/whole.mp4')
      expect(track.frames).toHaveLength(30)
      expect(track.frames.map(({ time }) => time)).toEqual(
        whole.track.frames.slice(0, 30).map(({ time }) => time),
      )
    })

    test.each([
      ['ts-jump/again.ts', 100],
      ['ts-wrap/wrap.ts', 50],
      ['size-change/sizes.webm', 50],
    ])('%s has all frames, at growing times', async (file, frames) => {
      const { track } = await tracked(file)
      expect(track.frames).toHaveLength(frames)
      track.frames.forEach(({ time }, i) => {
        expect(Math.abs(time - track.frames[0]!.time - i / 25)).toBeLessThan(0.05)
      })
    })

    test('vfr-times: what is written keeps the times', async () => {
      const { track, overlay } = await tracked('vfr-times/vfr.mp4')
      expect(track.frames[25]!.time).toBeCloseTo(1, 2)
      const { duration } = await lengths(overlay)
      expect(Math.abs(duration - 6)).toBeLessThan(0.25)
    })

    test.each(['gbr-h264.mp4', 'full444-h264.mp4', 'full422-h264.mp4'])(
      'pixel-formats/%s has the colours of its bars, or is refused by its format',
      async (name) => {
        const result = await orRefused(`pixel-formats/${name}`)
        if (result !== undefined) await expectBars(result, 8)
      },
    )

    test.each(['grey-hevc.mp4', 'grey10-hevc.mp4'])('pixel-formats/%s is grey, or refused', async (name) => {
      const overlay = await orRefused(`pixel-formats/${name}`)
      if (overlay === undefined) return
      const [r, g, b] = await meanColour(overlay, [0, 0, 0.1, 0.5])
      expect(Math.max(Math.abs(r - g), Math.abs(g - b))).toBeLessThan(3)
    })

    test('untagged-wide-hd has the colours of BT.709', async () => {
      const { overlay } = await tracked('untagged-wide-hd/wide.mp4')
      await expectBars(overlay, 8)
    })

    test('hdr-hlg is tone-mapped, or its user is told', async () => {
      const { overlay, said } = await tracked('hdr-hlg/hlg.mov')
      if (/HDR/.test(said)) return
      const [hdr, sdr] = [await meanColour(overlay), await meanColour(given('hdr-hlg/sdr.mp4'))]
      for (let c = 0; c < 3; c++) expect(Math.abs(hdr[c]! - sdr[c]!)).toBeLessThan(25)
    })

    test('sound-lost: the sound of the driving clip is kept', async () => {
      const out = at('sound.mp4')
      const { code, stderr } = await pantin(
        ...[
          'animate',
          run,
          '--source',
          'head:100015',
          '--driving',
          given('sound-lost/tone.mp4'),
          '--out',
          out,
        ],
      )
      expect(code, stderr).toBe(0)
      expect(Math.abs((await lengths(out)).sound - 2)).toBeLessThan(0.1)
      const silent = at('silent.mp4')
      await pantin(
        ...['animate', run, '--source', 'head:100015', '--driving', given('sound-lost/tone.mp4')],
        ...['--out', silent, '--no-sound'],
      )
      expect((await lengths(silent)).sound).toBe(0)
    })

    test('no-moov, AVI and MPEG-4 part 2 are refused with the remedy', async () => {
      const track = (file: string) => pantin('track', run, given(file), '--out', at('no.json'))
      refused(await track('no-moov/nomoov.mp4'), /not finished/)
      for (const file of ['other-clips/lab.avi', 'other-clips/old.mp4']) refused(await track(file), /ffmpeg/)
    })

    test.each(['drv.gif', 'drv.webp', 'drv.apng', 'frames'])('other-clips/%s drives', async (name) => {
      const out = at('driven.mp4')
      const result = await pantin(
        ...['animate', run, '--source', 'head:100015', '--driving', given(`other-clips/${name}`)],
        ...['--out', out, '--force'],
      )
      if (result.code === 2) return refused(result, /ffmpeg/)
      expect(result.code, result.stderr).toBe(0)
      const clip = await openClip(out)
      expect(clip.frameCount).toBe(10)
      await clip.close()
    })

    test('heic is read, or refused with the way to a JPEG', async () => {
      const result = await pantin(
        ...['animate', run, '--source', given('heic/IMG_0001.HEIC'), '--driving', 'head:100010,frames=2'],
        ...['--out', at('heic.mp4')],
      )
      if (result.code !== 0) refused(result, /HEIC[\s\S]*JPEG/)
    })

    test.each(['never-ends.webm', 'huge-stts.mp4', 'slow-71.mp4'])(
      'hostile/%s is refused soon',
      async (name) => {
        const began = performance.now()
        const result = await pantin('track', run, given(`hostile/${name}`), '--out', at('hostile.json'))
        refused(result, /damaged|not a video|no whole frame|cannot be read|too/)
        expect(performance.now() - began).toBeLessThan(20_000)
      },
    )
  })

  describe('commands', () => {
    test('small-picture: small pictures and clips are enlarged, with a note', async () => {
      const { track, said } = await tracked('small-picture/tiny.mp4')
      expect(track.frames.length).toBeGreaterThan(0)
      expect(said).toMatch(/enlarged/)
    })

    test('tall-portrait keeps its head', async () => {
      const { code, stdout, stderr } = await pantin(
        ...['animate', run, '--source', given('tall-portrait/tall.jpg'), '--driving', 'head:100010,frames=2'],
        ...['--out', at('tall.mp4'), '--json'],
      )
      expect(code, stderr).toBe(0)
      expect(stdout).toMatch(/"square"/)
    })

    test('track-csv: a table, or an ending that is refused', async () => {
      const out = at('k.csv')
      const { code, stderr } = await pantin('track', 'puppet', 'puppet:3,frames=3,size=128', '--out', out)
      expect(code, stderr).toBe(0)
      const lines = readFileSync(out, 'utf8').trim().split('\n')
      expect(lines).toHaveLength(4)
      expect(lines[0]).toMatch(/^frame,time,/)
      expect((await pantin('track', 'puppet', 'puppet:3,frames=3,size=128', '--out', at('k.txt'))).code).toBe(
        2,
      )
    })

    test('hard-link-store: a file of the store is never written through', () => {
      const app = at('app')
      const [scripts, linked] = [join(app, 'scripts'), join(app, 'node_modules/onnxruntime-node/script')]
      cpSync(given('hard-link-store/app'), app, { recursive: true })
      mkdirSync(scripts)
      cpSync(
        fileURLToPath(new URL('../../scripts/skip-cuda-download.cjs', import.meta.url)),
        join(scripts, 'skip.cjs'),
      )
      const [store, file] = [at('store.js'), join(linked, 'install-metadata.js')]
      renameSync(file, store)
      linkSync(store, file)
      const { status } = spawnSync(process.execPath, [join(scripts, 'skip.cjs')], { cwd: app })
      expect(status).toBe(0)
      expect(readFileSync(store, 'utf8')).toMatch(/'cuda12'/)
      expect(readFileSync(file, 'utf8')).not.toMatch(/'cuda12'/)
    })
  })

  describe('checkpoints', () => {
    const taken = async () =>
      (await readSafetensors(at('net/weights.safetensors'))).tensors.get('encoder.initial_block.conv.weight')
    const seed = async (file: string) =>
      (await readSafetensors(given(file))).tensors.get('encoder.initial_block.conv.weight')!

    test.each(['mmengine', 'lightning', 'posix', 'deque', 'lrsched'])(
      'foreign-objects-pth/%s.pth: the tensor is taken, and nothing is executed',
      async (name) => {
        const { code, stderr } = await imported(`foreign-objects-pth/${name}.pth`)
        expect(code, stderr).toBe(0)
        expect(await taken()).toEqual(await seed('foreign-objects-pth/seed.safetensors'))
      },
    )

    test('two-weights: both places are named, and one is chosen whatever their order', async () => {
      const [one, other] = [await imported('two-weights/ema.pth'), await imported('two-weights/emafirst.pth')]
      for (const { code, stdout, stderr } of [one, other]) {
        expect(code, stderr).toBe(0)
        expect(`${stdout}${stderr}`).toMatch(/state_dict[\s\S]*ema/)
      }
      const raw = (await seed('two-weights/seed.safetensors')).data[0] as number
      expect((await taken())!.data[0]).toBeCloseTo(raw, 6)
      const averaged = await imported('two-weights/ema.pth', '--from', 'state_dict_ema')
      expect(averaged.code, averaged.stderr).toBe(0)
      expect((await taken())!.data[0]).toBeCloseTo(raw / 2, 6)
    })

    test('sharded-safetensors are read from their index', async () => {
      const result = await pantin(
        ...['import', given('sharded-safetensors/model.safetensors.index.json'), '--net', 'erfnet'],
        ...['--outputs', '20', '--out', at('sharded')],
      )
      if (result.code !== 0) refused(result, /shard|part/)
    })

    test.each(['un', 'un/archive', 'un/archive/data.pkl'])(
      'unpacked-checkpoint/%s: told, or read',
      async (path) => {
        const result = await imported(`unpacked-checkpoint/${path}`)
        if (result.code !== 0) refused(result, /unpacked checkpoint/)
      },
    )

    test('unpacked-checkpoint/m.pth.gz is read, and packed.zip is to be unpacked', async () => {
      refused(await imported('unpacked-checkpoint/packed.zip'), /unpack it/)
      const { code, stderr } = await imported('unpacked-checkpoint/m.pth.gz')
      expect(code, stderr).toBe(0)
      expect(await taken()).toEqual(await seed('unpacked-checkpoint/seed.safetensors'))
    })

    test('onnx-external-data: weights in a file beside the model are read', async () => {
      const distilled = (name: string) =>
        pantin(
          ...['distil', 'puppet:1,frames=4,size=64', '--teacher', given(`onnx-external-data/${name}.onnx`)],
          ...['--steps', '1', '--out', at(name), '--device', 'cpu'],
        )
      for (const name of ['one', 'ext']) {
        const { code, stderr } = await distilled(name)
        expect(code, stderr).toBe(0)
      }
      const weights = (name: string) => readFileSync(at(`${name}/weights.safetensors`))
      expect(weights('ext').equals(weights('one'))).toBe(true)
    })
  })

  /** The overlay of a clip; undefined if the clip is refused with its format's name. */
  async function orRefused(file: string): Promise<string | undefined> {
    const overlay = at(`${++number}.mp4`)
    const out = at(`${number}.json`)
    const result = await pantin('track', run, given(file), '--out', out, '--overlay', overlay)
    if (result.code === 0) return overlay
    refused(result, /4:4:4|4:2:2|GBR|RGB|grey|monochrome/i)
    return undefined
  }
})

type Part = readonly [left: number, top: number, right: number, bottom: number]
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!

/** Red, green and blue of a part of a clip's first frame: left, top, right and bottom as parts of its sides. */
async function colour(
  path: string,
  [left, top, right, bottom]: Part,
  of: (values: readonly number[]) => number,
) {
  const clip = await openClip(path)
  try {
    for await (const { width, height, data } of clip.frames({ toFrame: 1 })) {
      const channels: [number[], number[], number[]] = [[], [], []]
      for (let y = Math.floor(top * height); y < bottom * height; y++) {
        for (let x = Math.floor(left * width); x < right * width; x++) {
          channels.forEach((values, c) => {
            values.push(data[3 * (y * width + x) + c]!)
          })
        }
      }
      return channels.map(of) as [number, number, number]
    }
    throw new Error('no frame')
  } finally {
    await clip.close()
  }
}

const meanColour = (path: string, part: Part = [0, 0, 1, 1]) => colour(path, part, mean)

/** Each bar by its median, since keypoints are drawn over some of it. */
async function expectBars(path: string, levels: number): Promise<void> {
  const clip = await openClip(path)
  const { width } = clip
  await clip.close()
  // FFmpeg makes bars of an even width.
  const bar = 2 * Math.ceil(Math.floor((width + 6) / 7) / 2)
  for (const [i, expected] of bars.entries()) {
    const [left, right] = [i * bar + 0.2 * bar, Math.min(width, (i + 0.8) * bar)]
    const found = await colour(path, [left / width, 0.02, right / width, 0.6], median)
    expected.forEach((value, c) => {
      expect(Math.abs(found[c]! - value), `bar ${i + 1}: ${found.map(Math.round)}`).toBeLessThan(levels)
    })
  }
}

/** Seconds of the pictures and of the sound of a video; 0 for no sound. */
async function lengths(path: string): Promise<{ duration: number; sound: number }> {
  const input = new Input({ source: new FilePathSource(path), formats: ALL_FORMATS })
  const [video, audio] = [await input.getPrimaryVideoTrack(), await input.getPrimaryAudioTrack()]
  const seconds = async (track: typeof video | typeof audio) =>
    track === null ? 0 : await track.computeDuration()
  const found = { duration: await seconds(video), sound: await seconds(audio) }
  input.dispose()
  return found
}
