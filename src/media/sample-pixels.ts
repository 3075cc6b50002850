// Decoded video samples as RGB pixels as displayed: colours, rotation, mirroring, square pixels, and high dynamic range
// mapped to the usual one.
import type { VideoSample } from 'mediabunny'
import { EnvironmentError } from '../util/errors.ts'
import { createResampler, type Resampler } from './resample.ts'
import { deepLevels, type Matrix, type Plane, type YuvImage, yuvToDeepRgb, yuvToRgb } from './yuv.ts'

/** The layout of WebCodecs' planar formats: chroma shifts and bits. Formats with A end with an alpha plane. */
const planar: Readonly<Record<string, readonly [shiftX: number, shiftY: number, bits: number]>> = {
  I420: [1, 1, 8],
  I420A: [1, 1, 8],
  I420P10: [1, 1, 10],
  I420AP10: [1, 1, 10],
  I420P12: [1, 1, 12],
  I420AP12: [1, 1, 12],
  I422: [1, 0, 8],
  I422A: [1, 0, 8],
  I422P10: [1, 0, 10],
  I422AP10: [1, 0, 10],
  I422P12: [1, 0, 12],
  I422AP12: [1, 0, 12],
  I444: [0, 0, 8],
  I444A: [0, 0, 8],
  I444P10: [0, 0, 10],
  I444AP10: [0, 0, 10],
  I444P12: [0, 0, 12],
  I444AP12: [0, 0, 12],
  NV12: [1, 1, 8],
}

/** Positions of red, green and blue in the packed formats. */
const packed: Readonly<Record<string, readonly [number, number, number]>> = {
  RGBA: [0, 1, 2],
  RGBX: [0, 1, 2],
  BGRA: [2, 1, 0],
  BGRX: [2, 1, 0],
}

/** Converts decoded samples of one video. */
export class SampleReader {
  private buffer = new Uint8Array(0)
  private stretch: Resampler | undefined
  private first: Size | undefined
  private other: (Size & { readonly resample: Resampler }) | undefined

  /** @param display size in square pixels after rotation, of pictures that are stored as large as the first. */
  constructor(
    private readonly display: Size,
    /** What the container says of the colours, which decoders may not tell. */
    private readonly colours: VideoColorSpaceInit = {},
    /** What the stream's own header says: whether the planes are green, blue and red, and the matrix of Y, U and V. */
    private readonly stream: { readonly rgb: boolean; readonly matrix: Matrix | undefined } = {
      rgb: false,
      matrix: undefined,
    },
  ) {}

  /**
   * RGB as displayed, which the caller may keep. The samples stay open.
   *
   * @param alpha a sample whose luma says how much of each pixel is seen, before white.
   */
  async read(sample: VideoSample, alpha?: VideoSample): Promise<Pixels> {
    const { width, height } = sample.visibleRect
    const layout = await this.copy(sample)
    const { rgb, matrix } = this.stream
    const hdr = wideKind({
      primaries: this.colours.primaries ?? sample.colorSpace.primaries,
      transfer: this.colours.transfer ?? sample.colorSpace.transfer,
    })
    const data = rgb
      ? joinPlanes(sample, this.buffer, layout, this.colours.fullRange ?? true)
      : toRgb(sample.format ?? 'unknown', this.buffer, layout, sample, { matrix, hdr })
    // Only planes of Y, U and V have more bits than these pixels.
    if (hdr !== undefined && (rgb || packed[sample.format ?? ''] !== undefined)) data.set(toneMap(data, hdr))
    if (alpha?.visibleRect.width === width && alpha.visibleRect.height === height) {
      const [luma] = await this.copy(alpha)
      // Some browsers give grey pixels as packed ones.
      const step = packed[alpha.format ?? ''] === undefined ? 1 : 4
      overWhite(data, this.buffer, { ...luma!, step }, width)
    }
    return this.square(rotate({ width, height, data }, sample.rotation, sample.flip))
  }

  private copy(sample: VideoSample) {
    const size = sample.allocationSize()
    if (this.buffer.length < size) this.buffer = new Uint8Array(size)
    return sample.copyTo(this.buffer)
  }

  /** Resizes if the pixels are not square, or if the size changes in the middle of the video. */
  private square(pixels: Pixels): Pixels {
    const { width, height } = this.display
    this.first ??= { width: pixels.width, height: pixels.height }
    if (pixels.width === this.first.width && pixels.height === this.first.height) {
      if (pixels.width === width && pixels.height === height) return pixels
      this.stretch ??= createResampler(pixels, wholeOf(pixels), this.display)
      return { width, height, data: this.stretch(pixels.data) }
    }
    return this.fit(pixels, this.first)
  }

  /** A picture of another size than the first, as large as it fits, between black bars. */
  private fit(pixels: Pixels, first: Size): Pixels {
    const { width, height } = this.display
    const shape = [(pixels.width * width) / first.width, (pixels.height * height) / first.height] as const
    const scale = Math.min(width / shape[0], height / shape[1])
    const shown = {
      width: Math.max(1, Math.min(width, Math.round(shape[0] * scale))),
      height: Math.max(1, Math.min(height, Math.round(shape[1] * scale))),
    }
    if (this.other?.width !== pixels.width || this.other.height !== pixels.height) {
      const resample = createResampler(pixels, wholeOf(pixels), shown)
      this.other = { width: pixels.width, height: pixels.height, resample }
    }
    const data = this.other.resample(pixels.data)
    const [left, top] = [(width - shown.width) >> 1, (height - shown.height) >> 1]
    const out = new Uint8Array(width * height * 3)
    for (let y = 0; y < shown.height; y++) {
      const row = data.subarray(y * shown.width * 3, (y + 1) * shown.width * 3)
      out.set(row, ((top + y) * width + left) * 3)
    }
    return { width, height, data: out }
  }
}

interface Size {
  readonly width: number
  readonly height: number
}

const wholeOf = ({ width, height }: Size) => ({ left: 0, top: 0, width, height })

/** Pixels whose planes are green, blue and red, of one size. */
function joinPlanes(
  sample: VideoSample,
  bytes: Uint8Array,
  layout: readonly { readonly offset: number; readonly stride: number }[],
  fullRange: boolean,
): Uint8Array {
  const { width, height } = sample.visibleRect
  const bits = planar[sample.format ?? '']?.[2] ?? 8
  const size = bits > 8 ? 2 : 1
  const samples = size === 1 ? bytes : new Uint16Array(bytes.buffer, 0, bytes.length >> 1)
  const most = 2 ** bits - 1
  const level = (value: number) => {
    const part = fullRange ? value / most : (value / 2 ** (bits - 8) - 16) / 219
    return Math.round(255 * Math.min(1, Math.max(0, part)))
  }
  const rgb = new Uint8Array(width * height * 3)
  for (const [plane, channel] of [1, 2, 0].entries()) {
    const { offset, stride } = layout[plane]!
    for (let y = 0, to = channel; y < height; y++) {
      const row = (offset + y * stride) / size
      for (let x = 0; x < width; x++, to += 3) rgb[to] = level(samples[row + x]!)
    }
  }
  return rgb
}

/** Lays pixels over white. */
function overWhite(rgb: Uint8Array, alpha: Uint8Array, { offset, stride, step }: Plane, width: number): void {
  for (let i = 0, pixel = 0; i < rgb.length; pixel++) {
    const row = Math.floor(pixel / width)
    const seen = alpha[offset + row * stride + (pixel - row * width) * step]!
    for (const end = i + 3; i < end; i++) rgb[i] = 255 - Math.round(((255 - rgb[i]!) * seen) / 255)
  }
}

function toRgb(
  format: string,
  bytes: Uint8Array,
  layout: readonly { readonly offset: number; readonly stride: number }[],
  sample: VideoSample,
  { matrix, hdr }: { readonly matrix: Matrix | undefined; readonly hdr: WideKind | undefined },
): Uint8Array {
  const { width, height } = sample.visibleRect
  const order = packed[format]
  if (order !== undefined) {
    const rgb = unpack(bytes, layout[0]!, order, width, height)
    const { offset, stride } = layout[0]!
    if (format.endsWith('A')) overWhite(rgb, bytes, { offset: offset + 3, stride, step: 4 }, width)
    return rgb
  }
  const shape = planar[format]
  if (shape === undefined) {
    throw new EnvironmentError({
      what: 'the decoder gives a pixel format that is not known here',
      got: format,
      expected: [...Object.keys(planar), ...Object.keys(packed)].join(', '),
      remedy: 'convert the video to 8-bit H.264 in 4:2:0 first',
    })
  }
  const [shiftX, shiftY, bits] = shape
  const size = bits > 8 ? 2 : 1
  const interleaved = format === 'NV12'
  const plane = (i: number, extra = 0, step = 1) => ({
    offset: layout[i]!.offset / size + extra,
    stride: layout[i]!.stride / size,
    step,
  })
  const image: YuvImage = {
    width,
    height,
    samples: size === 1 ? bytes : new Uint16Array(bytes.buffer, 0, bytes.length >> 1),
    bits,
    planes: interleaved ? [plane(0), plane(1, 0, 2), plane(1, 1, 2)] : [plane(0), plane(1), plane(2)],
    chromaShift: [shiftX, shiftY],
    matrix: matrix ?? matrixOf(sample.colorSpace.matrix, width, height),
    fullRange: sample.colorSpace.fullRange ?? false,
  }
  return hdr === undefined ? yuvToRgb(image) : toneMap(yuvToDeepRgb(image), hdr)
}

function unpack(
  bytes: Uint8Array,
  { offset, stride }: { readonly offset: number; readonly stride: number },
  [r, g, b]: readonly [number, number, number],
  width: number,
  height: number,
): Uint8Array {
  const rgb = new Uint8Array(width * height * 3)
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0, from = offset + y * stride; x < width; x++, from += 4, to += 3) {
      rgb[to] = bytes[from + r]!
      rgb[to + 1] = bytes[from + g]!
      rgb[to + 2] = bytes[from + b]!
    }
  }
  return rgb
}

/** Untagged video is BT.709 if it is larger than PAL, and else BT.601, as players assume. */
function matrixOf(tag: string | null, width: number, height: number): Matrix {
  if (tag === 'bt709') return 'bt709'
  if (tag === 'bt2020-ncl') return 'bt2020'
  if (tag === 'smpte170m' || tag === 'bt470bg') return 'bt601'
  return width >= 1280 || height > 576 ? 'bt709' : 'bt601'
}

/** Degrees clockwise, as containers store them. */
export type Rotation = 0 | 90 | 180 | 270

/** Pixels of one picture: data is [height, width, 3]. */
export interface Pixels {
  readonly width: number
  readonly height: number
  readonly data: Uint8Array
}

/** Rotates clockwise, then mirrors left to right if `flip`. If nothing changes, it returns its argument. */
export function rotate(pixels: Pixels, rotation: Rotation, flip: boolean): Pixels {
  if (rotation === 0 && !flip) return pixels
  const { width: w, height: h, data } = pixels
  const sideways = rotation === 90 || rotation === 270
  const [width, height] = sideways ? [h, w] : [w, h]
  // Source pixel of the target's first pixel, and the steps to take there for one step in x and in y.
  const [origin, dx, dy] = {
    0: [0, 1, w],
    90: [(h - 1) * w, -w, 1],
    180: [w * h - 1, -1, -w],
    270: [w - 1, w, -1],
  }[rotation] as [number, number, number]
  const start = flip ? origin + (width - 1) * dx : origin
  const step = flip ? -dx : dx
  const out = new Uint8Array(data.length)
  let to = 0
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (start + y * dy + x * step) * 3
      out[to] = data[from]!
      out[to + 1] = data[from + 1]!
      out[to + 2] = data[from + 2]!
      to += 3
    }
  }
  return { width, height, data: out }
}

/** Kinds of colours that BT.709 does not hold: the transfer functions of HDR, and BT.2020 with the usual light. */
export type WideKind = 'hlg' | 'pq' | 'sdr'

/** The kind of a stream's colours; undefined for colours of BT.709 or older. */
export function wideKind({ primaries, transfer }: VideoColorSpaceInit): WideKind | undefined {
  // The library has more names than WebCodecs.
  const name = transfer as string | null | undefined
  if (name === 'hlg' || name === 'pq') return name
  return (primaries as string | null | undefined) === 'bt2020' ? 'sdr' : undefined
}

/** A notice that the colours of a clip are mapped. */
export function hdrNotice({ colorSpace }: VideoDecoderConfig): string | undefined {
  const kind = wideKind(colorSpace ?? {})
  if (kind === undefined) return undefined
  if (kind === 'sdr') return 'the clip has the wide colours of BT.2020: they are mapped to BT.709'
  const what = `the clip is HDR (${kind.toUpperCase()})`
  return `${what}: its colours are mapped to SDR (BT.709), and brightness may differ. A phone or ffmpeg can convert it to SDR`
}

/**
 * cd/m2 of diffuse white, which becomes the white of SDR. BT.2408 has 203, which phones keep. Converted films often have the
 * 100 of SDR. Nothing in a file tells, so that this lies between them.
 */
const white = 130
/** cd/m2 of a display for which HLG is graded, and the highest light that is kept apart. */
const peak = 1000

/** Lights below this part of white stay as they are; lights above it are pressed together. */
const knee = 0.8

/** Linear BT.2020 to linear BT.709 (BT.2087). Dark channels are small sums of these, so that each has six digits. */
const toBt709 = [
  ...[1.660491, -0.587641, -0.07285],
  ...[-0.12455, 1.1329, -0.008349],
  ...[-0.018151, -0.100579, 1.11873],
] as const

/** Steps of the table from the square root of linear light to BT.709 levels. */
const steps = 4096

/**
 * Maps pixels.
 *
 * @param rgb [.., 3], levels of BT.2020: of 8 bits, or of 16 as `yuvToDeepRgb` gives them.
 * @returns levels of BT.709, of 8 bits.
 */
export function toneMap(rgb: Uint8Array | Uint16Array, kind: WideKind): Uint8Array {
  lights[kind] ??= lightTable(kind)
  const ofLevel = lights[kind]
  const scale = rgb instanceof Uint8Array ? (deepLevels - 1) / 255 : 1
  const out = new Uint8Array(rgb.length)
  const light = (i: number) => ofLevel[Math.round(rgb[i]! * scale)]!
  const level = (value: number) => levels[Math.round(Math.sqrt(Math.min(1, Math.max(0, value))) * steps)]!
  for (let i = 0; i < rgb.length; i += 3) {
    const [r, g, b] = [light(i), light(i + 1), light(i + 2)]
    let red = toBt709[0] * r + toBt709[1] * g + toBt709[2] * b
    let green = toBt709[3] * r + toBt709[4] * g + toBt709[5] * b
    let blue = toBt709[6] * r + toBt709[7] * g + toBt709[8] * b
    const most = Math.max(red, green, blue)
    if (kind !== 'sdr' && most > knee) {
      const part = press(most) / most
      red *= part
      green *= part
      blue *= part
    }
    out[i] = level(red)
    out[i + 1] = level(green)
    out[i + 2] = level(blue)
  }
  return out
}

/** From `knee` to 1 for lights up to `peak`, with the slope 1 at the knee. */
function press(light: number): number {
  const room = 1 - knee
  const over = (light - knee) / room
  const most = (peak / white - knee) / room
  // Reinhard's curve, which reaches 1 at the peak.
  return Math.min(1, knee + (room * over * (1 + over / (most * most))) / (1 + over))
}

const lights: Partial<Record<WideKind, Float64Array>> = {}

/** Linear light by level, as parts of white. */
function lightTable(kind: WideKind): Float64Array {
  const of = { hlg: hlgLight, pq: pqLight, sdr: (signal: number) => signal ** 2.4 }[kind]
  return Float64Array.from({ length: deepLevels }, (_, level) => of(level / (deepLevels - 1)))
}

/** The display's gamma is taken for each channel by itself, as FFmpeg does. */
function hlgLight(signal: number): number {
  const [a, b, c] = [0.17883277, 0.28466892, 0.55991073]
  const scene = signal <= 0.5 ? signal ** 2 / 3 : (Math.exp((signal - c) / a) + b) / 12
  return (peak / white) * scene ** 1.2
}

function pqLight(signal: number): number {
  const [m1, m2] = [2610 / 16384, (2523 / 4096) * 128]
  const [c1, c2, c3] = [3424 / 4096, (2413 / 4096) * 32, (2392 / 4096) * 32]
  const power = signal ** (1 / m2)
  return (10_000 / white) * (Math.max(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
}

/** Levels of a BT.1886 display, which BT.709 is graded for. */
const levels = Uint8Array.from({ length: steps + 1 }, (_, i) => Math.round(255 * (i / steps) ** (2 / 2.4)))
