/** Kinds of files that mutants are made of: whole files, what is put into them, and what reads them. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import sharp, { type Sharp } from 'sharp'
import { openClip, readSource } from '../../src/clips/source.ts'
import { openCheckpoint } from '../../src/convert/open-checkpoint.ts'
import { FileBytes } from '../../src/files/read.ts'
import { encodeSafetensors } from '../../src/formats/safetensors/safetensors.ts'
import { ZipArchive } from '../../src/formats/zip/zip-archive.ts'
import { floats, ints, type Tensor } from '../../src/graph/tensor.ts'
import type { Clip } from '../../src/media/clip.ts'
import { loadCodecs } from '../../src/media/codecs.ts'
import { pngChunk } from '../../src/media/picture.ts'
import { maySound } from '../../src/media/sound.ts'
import { rgbToI420 } from '../../src/media/yuv.ts'
import { animatedRunSchema, modelOf } from '../../src/model/loaded-run.ts'
import { readOnnxFile } from '../../src/model/onnx-file.ts'
import { generatorGraph } from '../../src/motion/model.ts'
import { fromOnnx } from '../../src/onnx/import.ts'
import { openRun } from '../../src/run/run.ts'
import { keepAlive } from '../../src/util/event-loop.ts'
import type { Random } from '../../src/util/random.ts'
import { mutate } from '../formats/torch/mutants.ts'
import { zip } from '../formats/torch/writer.ts'
import { modelBytes, node, type Plan } from '../onnx/models.ts'

/** A kind of file. */
export interface Kind {
  /** Name of a mutant's file. */
  readonly file: string
  /** Whole files. */
  sources(): Promise<Buffer[]> | Buffer[]
  /** Pieces that are put into mutants; default: numbers that are seldom expected. */
  readonly pieces?: readonly Buffer[]
  /** How a mutant is made, if not by changed bytes. */
  mutant?(source: Buffer, random: Random): Buffer
  /** Reads a file to its end, as commands do. */
  read(path: string): Promise<void>
}

const numbers = (size: 1 | 2 | 4 | 8) =>
  [0n, 1n, 2n ** 7n, 2n ** 15n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 64n - 1n].map((value) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64BE(value)
    return bytes.subarray(8 - size)
  })
const words = (...all: readonly string[]) => all.map((word) => Buffer.from(word, 'latin1'))
const plain = [1, 2, 4, 8].flatMap((size) => numbers(size as 1 | 2 | 4 | 8))

/** Frames of 32 x 32 pixels, so that most of the file is what the container says. */
const side = 32

async function video(ending: 'mp4' | 'webm' | 'mkv' | 'ts'): Promise<Buffer> {
  const m = await loadCodecs()
  const formats = {
    mp4: () => new m.Mp4OutputFormat(),
    webm: () => new m.WebMOutputFormat(),
    mkv: () => new m.MkvOutputFormat(),
    ts: () => new m.MpegTsOutputFormat(),
  }
  const target = new m.BufferTarget()
  const output = new m.Output({ format: formats[ending](), target })
  const codec = ending === 'webm' ? 'vp9' : 'avc'
  const source = new m.VideoSampleSource({ codec, bitrate: 50_000, keyFrameInterval: 0.2 })
  output.addVideoTrack(source, { frameRate: 25 })
  const isAac = ending === 'ts' || ending === 'mp4'
  const sound = new m.EncodedAudioPacketSource(isAac ? 'aac' : 'opus')
  const decoderConfig = isAac
    ? { codec: 'mp4a.40.2', numberOfChannels: 1, sampleRate: 44_100, description: Uint8Array.of(0x12, 0x08) }
    : { codec: 'opus', numberOfChannels: 1, sampleRate: 48_000 }
  output.addAudioTrack(sound)
  await keepAlive(output.start())
  for (let i = 0; i < 8; i++) {
    const rgb = new Uint8Array(side * side * 3).map((_, at) => (at * 7 + i * 20) & 255)
    const sample = new m.VideoSample(rgbToI420(rgb, side, side), {
      ...{ format: 'I420', codedWidth: side, codedHeight: side, timestamp: i / 25, duration: 1 / 25 },
    })
    await keepAlive(source.add(sample))
    sample.close()
    await sound.add(new m.EncodedPacket(new Uint8Array(20), 'key', i / 25, 1 / 25), { decoderConfig })
  }
  await keepAlive(output.finalize())
  return Buffer.from(target.buffer!)
}

async function readFrames(clip: Clip): Promise<void> {
  try {
    let count = 0
    for await (const { width, height, data } of clip.frames()) {
      if (width !== clip.width || height !== clip.height || data.length !== 3 * width * height)
        throw new Error('a frame of another size than its clip')
      count++
    }
    if (count !== clip.frameCount) throw new Error(`${count} frames, and ${clip.frameCount} were promised`)
    const sound = maySound(clip) ? await clip.sound() : 'none'
    if (sound === 'none' || 'leftOut' in sound) return
    for await (const _ of sound.packets()) count++
  } finally {
    await clip.close()
  }
}

const readMoving = async (path: string) => readFrames(await openClip(path, { pictures: true }))
const readStill = async (path: string) => {
  const { width, height, data } = await readSource(path)
  if (data.length !== 3 * width * height) throw new Error('pixels of another size')
}

/** A file of the project. */
const file = (path: string) => readFileSync(join(process.cwd(), path))

function picture(): Sharp {
  const data = new Uint8Array(side * side * 3).map((_, at) => (at * 7) & 255)
  return sharp(data, { raw: { width: side, height: side, channels: 3 } })
}

async function animation(kind: 'gif' | 'webp'): Promise<Buffer> {
  const frames = await Promise.all(
    [0, 1, 2].map(async (i) =>
      picture()
        .linear(1, 20 * i)
        .png()
        .toBuffer(),
    ),
  )
  return sharp(frames, { join: { animated: true } })
    .toFormat(kind)
    .toBuffer()
}

/** A PNG with changed bytes; of most, the check sums fit, so that the change is seen. */
function pngMutant(source: Buffer, random: Random): Buffer {
  if (random.uniform() < 0.25) return mutate(source, random, plain)
  const chunks: Buffer[] = []
  for (let at = 8; at < source.length; at += 12 + source.readUInt32BE(at))
    chunks.push(source.subarray(at, at + 12 + source.readUInt32BE(at)))
  const changed = random.integer(chunks.length)
  const made = chunks.map((chunk, i) => {
    const data = chunk.subarray(8, -4)
    const own = i !== changed || data.length === 0 ? data : mutate(data, random, plain)
    return pngChunk(chunk.toString('latin1', 4, 8), own)
  })
  if (random.uniform() < 0.2) made.splice(random.integer(made.length), 1)
  return Buffer.concat([source.subarray(0, 8), ...made])
}

/** An animated PNG of two frames, the second of them a part. */
async function movingPng(): Promise<Buffer> {
  const png = await picture().png().toBuffer()
  const at = (kind: string) => png.indexOf(kind) - 4
  const data = png.subarray(at('IDAT') + 8, at('IEND') - 4)
  const numbers = (...values: number[]) => {
    const bytes = Buffer.alloc(4 * values.length)
    for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, 4 * i)
    return bytes
  }
  const control = (sequence: number, dispose: number, over: number) =>
    pngChunk(
      'fcTL',
      Buffer.concat([numbers(sequence, side, side, 0, 0), Buffer.from([0, 1, 0, 10, dispose, over])]),
    )
  return Buffer.concat([
    ...[png.subarray(0, at('IDAT')), pngChunk('acTL', numbers(2, 0)), control(0, 2, 0)],
    ...[png.subarray(at('IDAT'), at('IEND')), control(1, 1, 1)],
    ...[pngChunk('fdAT', Buffer.concat([numbers(2), data])), png.subarray(at('IEND'))],
  ])
}

/** A run's configuration with one value replaced, or with changed bytes. */
function configMutant(source: Buffer, random: Random): Buffer {
  if (random.uniform() < 0.4)
    return mutate(source, random, words('{', '}', '[', ']', ',', ':', '"', 'null', '1e999'))
  const config: unknown = JSON.parse(source.toString())
  for (let changes = 1 + random.integer(2); changes > 0; changes--) {
    let at = config as Record<string, unknown>
    for (;;) {
      const key = random.pick(Object.keys(at))
      const value = at[key]
      if (
        typeof value === 'object' &&
        value !== null &&
        Object.keys(value).length > 0 &&
        random.uniform() < 0.9
      ) {
        at = value as Record<string, unknown>
        continue
      }
      if (random.uniform() < 0.15) delete at[key]
      else at[key] = random.pick(values)
      break
    }
  }
  return Buffer.from(JSON.stringify(config))
}

const values: readonly unknown[] = [
  ...[
    0,
    1,
    -1,
    2,
    3,
    16,
    0.5,
    4096,
    2 ** 16,
    2 ** 31,
    2 ** 53,
    1e300,
    null,
    true,
    '',
    'x',
    [],
    {},
    [1],
    [[]],
  ],
  ...['../../x', 'lednet', 'ficelle', 'face', 'light', 'all', 'clipped', '__proto__', 'a'.repeat(10_000)],
  [...Array(5000).keys()],
]

/** A zip of small files, one of them deflated. */
function zipped(): Buffer {
  const stored = { name: 'run/config.json', data: file('assets/starters/face-small/config.json') }
  return zip([
    { ...stored, deflate: true },
    { name: 'run/weights.safetensors', data: tensors() },
  ])
}

const tensors = () =>
  Buffer.concat([
    ...encodeSafetensors(
      new Map<string, Tensor>([
        ['encoder.weight', floats([1, 2, 3, 4, 5, 6], [3, 2])],
        ['steps', ints([7, 8])],
      ]),
    ),
  ])

async function readCheckpoint(path: string): Promise<void> {
  const { states, close } = await openCheckpoint(path)
  try {
    for (const tensor of new Set([...states.values()].flatMap((state) => [...state.values()]))) {
      const { shape, data } = await tensor.read()
      if (data.length !== shape.reduce((size, axis) => size * axis, 1))
        throw new Error('a tensor of another size')
    }
  } finally {
    await close()
  }
}

async function readZip(path: string): Promise<void> {
  const bytes = await FileBytes.open(path, 'a zip archive')
  try {
    const archive = await ZipArchive.open(bytes)
    for (const entry of archive.entries.values()) {
      let size = 0
      await archive.readAll(entry, async ({ length }) => {
        size += length
      })
      if (size !== entry.size) throw new Error('an entry of another size than it says')
    }
  } finally {
    await bytes.close()
  }
}

/** As commands do: the configuration is checked, and the graph of its generator is built. */
async function readConfig(path: string): Promise<void> {
  const run = await openRun(dirname(path), animatedRunSchema)
  const { config } = modelOf(run.config, run.path)
  generatorGraph(config)
}

const torchFiles = ['types-zip.pt', 'views-legacy.pt', 'module.pth', 'fomm-legacy.pth.tar']

/** All kinds, by the ending that people know them by. */
export const kinds: Readonly<Record<string, Kind>> = {
  ...Object.fromEntries(
    (['mp4', 'webm', 'mkv', 'ts'] as const).map((ending) => [
      ending,
      { file: `mutant.${ending}`, sources: async () => [await video(ending)], read: readMoving },
    ]),
  ),
  gif: { file: 'mutant.gif', sources: async () => [await animation('gif')], read: readMoving },
  webp: {
    file: 'mutant.webp',
    sources: async () => [await animation('webp'), await picture().webp().toBuffer()],
    read: readMoving,
  },
  png: {
    file: 'mutant.png',
    sources: async () => [await movingPng(), await picture().png().toBuffer()],
    mutant: pngMutant,
    read: readMoving,
  },
  jpg: { file: 'mutant.jpg', sources: async () => [await picture().jpeg().toBuffer()], read: readStill },
  heic: { file: 'mutant.heic', sources: () => [file('test/media/formats/bars-p3.heic')], read: readStill },
  safetensors: {
    file: 'mutant.safetensors',
    sources: () => [tensors()],
    pieces: [...plain, ...words('{', '}', '"', ',', '-1', '1e9', '18446744073709551616', '"F32"', '[0,0]')],
    read: readCheckpoint,
  },
  pth: {
    file: 'mutant.pth',
    sources: () => torchFiles.map((name) => file(`test/formats/torch/files/${name}`)),
    mutant: (source, random) => mutate(source, random),
    read: readCheckpoint,
  },
  onnx: {
    file: 'mutant.onnx',
    sources: () => [Buffer.from(modelBytes(graph))],
    read: async (path) => {
      fromOnnx(await readOnnxFile(path))
    },
  },
  'config.json': {
    file: 'config.json',
    sources: () => [file('assets/starters/face-small/config.json')],
    mutant: configMutant,
    read: readConfig,
  },
  zip: { file: 'mutant.zip', sources: () => [zipped()], read: readZip },
}

const graph: Plan = {
  inputs: { x: [1, 2, 8, 8] },
  tensors: { w: floats(new Float32Array(36), [2, 2, 3, 3]), shape: ints([1, -1]) },
  nodes: [
    node('Conv', ['x', 'w'], ['a'], { pads: [1, 1, 1, 1] }),
    node('Relu', ['a'], ['b']),
    node('MaxPool', ['b'], ['c'], { kernel_shape: [2, 2], strides: [2, 2] }),
    node('Reshape', ['c', 'shape'], ['y']),
  ],
}

export const mutantOf = (kind: Kind, source: Buffer, random: Random): Buffer =>
  kind.mutant?.(source, random) ?? mutate(source, random, kind.pieces ?? plain)

/** Writes a file of a kind, and gives its path. */
export function writeFile(kind: Kind, folder: string, bytes: Buffer): string {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, kind.file)
  writeFileSync(path, bytes)
  return path
}
