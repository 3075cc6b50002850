// Between RGB and the planar YUV of video. The codec library is not used for this: it tags encoded RGB with a wrong
// matrix, which players follow, and decodes all video with one matrix.

/** Weights of red and blue in luma (ITU-R BT.601, BT.709, BT.2020; SMPTE 240M; FCC 73.682). */
const lumaWeights = {
  bt601: [0.299, 0.114],
  bt709: [0.2126, 0.0722],
  bt2020: [0.2627, 0.0593],
  smpte240m: [0.212, 0.087],
  fcc: [0.3, 0.11],
} as const
/** Colour matrices of video. */
export type Matrix = keyof typeof lumaWeights

/** Planes of one picture in one buffer. Offsets, strides and steps are in samples. */
export interface YuvImage {
  readonly width: number
  readonly height: number
  /** 8-bit samples, or up to 16-bit with `bits` used. */
  readonly samples: Uint8Array | Uint16Array
  readonly bits: number
  /** Y, U, V. `step` is 2 where U and V are interleaved. */
  readonly planes: readonly [Plane, Plane, Plane]
  /** Chroma is halved this many times along x and y: 1, 1 for 4:2:0. */
  readonly chromaShift: readonly [number, number]
  readonly matrix: Matrix
  readonly fullRange: boolean
}

/** One plane of a picture. */
export interface Plane {
  readonly offset: number
  readonly stride: number
  readonly step: number
}

/**
 * RGB [height, width, 3] of a YUV picture. Each chroma sample is used for its whole block, which is the inverse of the
 * averaging in `rgbToI420`.
 */
export function yuvToRgb(image: YuvImage): Uint8Array {
  const { width, height, chromaShift, bits } = image
  const tables = decodeTables(image.matrix, image.fullRange)
  const rgb = new Uint8Array(width * height * 3)
  const blocks = chromaShift[0] === 1 && chromaShift[1] === 1 && width % 2 === 0 && height % 2 === 0
  if (blocks && bits === 8) decodeBlocks(image, tables, rgb)
  else decodePixels(image, tables, rgb)
  return rgb
}

/** Levels of each colour in `yuvToDeepRgb`. */
export const deepLevels = 65_536

/** Like `yuvToRgb`, with 16 bits for each colour. A dark channel of a bright colour is a small difference of bright lights. */
export function yuvToDeepRgb(image: YuvImage): Uint16Array {
  const { width, height, samples, bits, fullRange } = image
  const [kr, kb] = lumaWeights[image.matrix]
  const kg = 1 - kr - kb
  const [py, pu, pv] = image.planes
  const [shiftX, shiftY] = image.chromaShift
  const unit = 2 ** (bits - 8)
  const most = deepLevels - 1
  const [black, gain] = fullRange ? [0, most / (256 * unit - 1)] : [16 * unit, most / (219 * unit)]
  const chromaGain = fullRange ? gain : most / (224 * unit)
  const rgb = new Uint16Array(width * height * 3)
  const put = (at: number, value: number) => {
    rgb[at] = Math.min(most, Math.max(0, value + 0.5))
  }
  for (let y = 0, out = 0; y < height; y++) {
    const rowY = py.offset + y * py.stride
    const rowU = pu.offset + (y >> shiftY) * pu.stride
    const rowV = pv.offset + (y >> shiftY) * pv.stride
    for (let x = 0; x < width; x++, out += 3) {
      const luma = (samples[rowY + x * py.step]! - black) * gain
      const u = (samples[rowU + (x >> shiftX) * pu.step]! - 128 * unit) * chromaGain
      const v = (samples[rowV + (x >> shiftX) * pv.step]! - 128 * unit) * chromaGain
      put(out, luma + 2 * (1 - kr) * v)
      put(out + 1, luma - (2 * (1 - kb) * kb * u + 2 * (1 - kr) * kr * v) / kg)
      put(out + 2, luma + 2 * (1 - kb) * u)
    }
  }
  return rgb
}

/** Decodes any layout, one pixel at a time. */
function decodePixels(image: YuvImage, tables: DecodeTables, rgb: Uint8Array): void {
  const { width, height, samples } = image
  const { luma, redV, greenU, greenV, blueU } = tables
  const [py, pu, pv] = image.planes
  const [shiftX, shiftY] = image.chromaShift
  const down = image.bits - 8
  for (let y = 0, out = 0; y < height; y++) {
    const rowY = py.offset + y * py.stride
    const rowU = pu.offset + (y >> shiftY) * pu.stride
    const rowV = pv.offset + (y >> shiftY) * pv.stride
    for (let x = 0; x < width; x++, out += 3) {
      const u = samples[rowU + (x >> shiftX) * pu.step]! >> down
      const v = samples[rowV + (x >> shiftX) * pv.step]! >> down
      const l = luma[samples[rowY + x * py.step]! >> down]!
      putPixel(rgb, out, l, redV[v]!, greenU[u]! + greenV[v]!, blueU[u]!)
    }
  }
}

/** Decodes 8-bit 4:2:0, nearly every video: four pixels per chroma sample, twice as fast. */
function decodeBlocks(image: YuvImage, tables: DecodeTables, rgb: Uint8Array): void {
  const { width, height, samples } = image
  const { luma, redV, greenU, greenV, blueU } = tables
  const [py, pu, pv] = image.planes
  const rowBytes = width * 3
  for (let y = 0; y < height; y += 2) {
    let l = py.offset + y * py.stride
    let out = y * rowBytes
    for (let x = 0; x < width >> 1; x++, l += 2, out += 6) {
      const u = samples[pu.offset + (y >> 1) * pu.stride + x * pu.step]!
      const v = samples[pv.offset + (y >> 1) * pv.stride + x * pv.step]!
      const r = redV[v]!
      const g = greenU[u]! + greenV[v]!
      const b = blueU[u]!
      putPixel(rgb, out, luma[samples[l]!]!, r, g, b)
      putPixel(rgb, out + 3, luma[samples[l + 1]!]!, r, g, b)
      putPixel(rgb, out + rowBytes, luma[samples[l + py.stride]!]!, r, g, b)
      putPixel(rgb, out + rowBytes + 3, luma[samples[l + py.stride + 1]!]!, r, g, b)
    }
  }
}

function putPixel(rgb: Uint8Array, at: number, luma: number, r: number, g: number, b: number): void {
  rgb[at] = Math.min(255, Math.max(0, (luma + r) >> 16))
  rgb[at + 1] = Math.min(255, Math.max(0, (luma + g) >> 16))
  rgb[at + 2] = Math.min(255, Math.max(0, (luma + b) >> 16))
}

/** [height, width, 3] to 4:2:0 planes Y, U, V, 8-bit BT.709 limited range. Width and height are even. */
export function rgbToI420(rgb: Uint8Array, width: number, height: number): Uint8Array {
  const [kr, kb] = lumaWeights.bt709
  const kg = 1 - kr - kb
  const [r, g, b] = [(kr * 219) / 255, (kg * 219) / 255, (kb * 219) / 255]
  const half = width >> 1
  const out = new Uint8Array(width * height + 2 * half * (height >> 1))
  let u = width * height
  let v = u + half * (height >> 1)
  // (B - Y) / (2 (1 - kb)) over 224 levels, on the sum of four pixels.
  const uScale = 224 / 255 / (2 * (1 - kb)) / 4
  const vScale = 224 / 255 / (2 * (1 - kr)) / 4
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = (y * width + x) * 3
      out[y * width + x] = r * rgb[i]! + g * rgb[i + 1]! + b * rgb[i + 2]! + 16.5
    }
  }
  for (let y = 0; y < height; y += 2) {
    for (let x = 0; x < width; x += 2) {
      const i = (y * width + x) * 3
      const j = i + width * 3
      const red = rgb[i]! + rgb[i + 3]! + rgb[j]! + rgb[j + 3]!
      const green = rgb[i + 1]! + rgb[i + 4]! + rgb[j + 1]! + rgb[j + 4]!
      const blue = rgb[i + 2]! + rgb[i + 5]! + rgb[j + 2]! + rgb[j + 5]!
      const luma = kr * red + kg * green + kb * blue
      out[u++] = uScale * (blue - luma) + 128.5
      out[v++] = vScale * (red - luma) + 128.5
    }
  }
  return out
}

type DecodeTables = ReturnType<typeof decodeTables>

const known = new Map<string, ReturnType<typeof makeTables>>()

/** Made once for each of the few colour spaces. */
function decodeTables(matrix: Matrix, fullRange: boolean) {
  const key = `${matrix} ${fullRange}`
  const tables = known.get(key) ?? makeTables(matrix, fullRange)
  known.set(key, tables)
  return tables
}

/** Terms of the decoding sums in 16-bit fixed point, by 8-bit sample. */
function makeTables(matrix: Matrix, fullRange: boolean) {
  const [kr, kb] = lumaWeights[matrix]
  const kg = 1 - kr - kb
  const lumaGain = fullRange ? 1 : 255 / 219
  const chromaGain = fullRange ? 1 : 255 / 224
  const table = (term: (sample: number) => number) =>
    Int32Array.from({ length: 256 }, (_, sample) => Math.round(term(sample) * 65536))
  const chroma = (weight: number) => table((sample) => (sample - 128) * chromaGain * weight)
  return {
    luma: table((sample) => (sample - (fullRange ? 0 : 16)) * lumaGain + 0.5),
    redV: chroma(2 * (1 - kr)),
    greenU: chroma((-2 * (1 - kb) * kb) / kg),
    greenV: chroma((-2 * (1 - kr) * kr) / kg),
    blueU: chroma(2 * (1 - kb)),
  }
}
