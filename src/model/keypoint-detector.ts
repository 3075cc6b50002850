// A keypoint detector of any origin, one picture at a time: the interface, its implementation on a session, and the forms of
// pictures and keypoints that go in and out.
import { floats, type Tensor, tensor } from '../graph/tensor.ts'
import type { Frame } from '../media/clip.ts'
import { createResampler } from '../media/resample.ts'
import { type Device, describePort, type PortType, type Session, type Tensors } from '../runtime/session.ts'
import { FormatError, InputError } from '../util/errors.ts'

/** RGB [size, size, 3], 0 to 255, as [1, 3, size, size] in [0, 1]. */
export function toPlanes(pixels: Uint8Array, size: number): Tensor<'float32'> {
  const area = size * size
  const planes = new Float32Array(3 * area)
  for (let i = 0, from = 0; i < area; i++, from += 3) {
    planes[i] = pixels[from]! / 255
    planes[area + i] = pixels[from + 1]! / 255
    planes[2 * area + i] = pixels[from + 2]! / 255
  }
  return tensor('float32', [1, 3, size, size], planes)
}

/** The inverse of `toPlanes`. Values are rounded and clipped to 0 to 255. */
export function fromPlanes(planes: Float32Array, size: number): Uint8Array {
  const area = size * size
  const pixels = new Uint8ClampedArray(3 * area)
  for (let i = 0, to = 0; i < area; i++, to += 3) {
    pixels[to] = 255 * planes[i]!
    pixels[to + 1] = 255 * planes[area + i]!
    pixels[to + 2] = 255 * planes[2 * area + i]!
  }
  return new Uint8Array(pixels.buffer)
}

/** A frame over the square picture RGB [side, side, 3], which is not copied. Times are in seconds. */
export function squareFrame(data: Uint8Array, time = 0, duration = 0): Frame {
  const side = Math.round(Math.sqrt(data.length / 3))
  return { width: side, height: side, data, time, duration }
}

/** The frame at another size in pixels. Shrinking takes the mean of the pixels covered; growing is bilinear. */
export function resized(frame: Frame, width: number, height = width): Frame {
  if (frame.width === width && frame.height === height) return frame
  const whole = { left: 0, top: 0, width: frame.width, height: frame.height }
  return { ...frame, width, height, data: createResampler(frame, whole, { width, height })(frame.data) }
}

/** Keypoints of one picture as plain numbers. */
export interface Keypoints {
  /** [K, 2], (x, y) in [-1, 1]: -1 and 1 are the centres of the first and last pixel. */
  readonly value: Float32Array
  /** [K, 2, 2], the local affine maps, row by row; undefined if the model has points only. */
  readonly jacobian: Float32Array | undefined
}

/** Points [K, 2] as [1, K, 2]. */
export const toPoints = (value: Float32Array): Tensor<'float32'> => floats(value, [1, value.length / 2, 2])

/** Matrices [K, 2, 2] as [1, K, 2, 2]. */
export const toMatrices = (jacobian: Float32Array): Tensor<'float32'> =>
  floats(jacobian, [1, jacobian.length / 4, 2, 2])

/** A 2x2 matrix, row by row. */
export type Matrix = readonly [number, number, number, number]

/** The matrix that starts at `index` of a flat array. */
export function matrixAt(flat: ArrayLike<number>, index: number): Matrix {
  return [flat[index]!, flat[index + 1]!, flat[index + 2]!, flat[index + 3]!]
}

/** The matrix product of two 2x2 matrices. */
export function product([a, b, c, d]: Matrix, [e, f, g, h]: Matrix): Matrix {
  return [a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h]
}

/** The determinant of a 2x2 matrix. */
export function determinant([a, b, c, d]: Matrix): number {
  return a * d - b * c
}

/** The inverse of a 2x2 matrix, by the adjugate. Its entries are infinite or NaN if the determinant is 0. */
export function inverse(matrix: Matrix): Matrix {
  const [a, b, c, d] = matrix
  const over = 1 / determinant(matrix)
  return [d * over, -b * over, -c * over, a * over]
}

/** A keypoint detector of any origin. Close it after use, or bind it by `await using`. */
export interface KeypointDetector extends AsyncDisposable {
  /** Path of the run folder or the ONNX file. */
  readonly path: string
  /** Side of the square pictures that the detector takes, in pixels. */
  readonly size: number
  /** Number of keypoints, K. */
  readonly keypoints: number
  /** Shape of the heatmaps, [K, h, w]; undefined if the detector gives no heatmaps. */
  readonly heatmap: readonly [number, number, number] | undefined
  /** Shape of the features that the detector's head reads, [F, h, w]; undefined if the detector does not give them. */
  readonly features: readonly [number, number, number] | undefined
  /** Whether the detector gives jacobians. */
  readonly jacobian: boolean
  /** The device that the detector runs on. */
  readonly device: Device
  /**
   * Finds the keypoints of n pictures, one after another.
   *
   * @param frames RGB [n, size, size, 3], 0 to 255.
   * @throws InputError if the pictures have another size, FormatError if a result is not finite.
   */
  detect(frames: Uint8Array): Promise<Detections>
  /** Frees the session. Further calls do nothing. */
  close(): Promise<void>
}

/** The results of a detector for n pictures. */
export interface Detections {
  /** [n, K, 2], (x, y) in [-1, 1]. */
  readonly value: Float32Array
  /** [n, K, 2, 2], row by row. */
  readonly jacobian: Float32Array | undefined
  /** [n, K, h, w], each map of sum 1; only with `details`. */
  readonly heatmap: Float32Array | undefined
  /** [n, F, h, w]; only with `details`. */
  readonly features: Float32Array | undefined
}

/** The names of a session's outputs. */
export interface OutputNames {
  readonly value: string
  readonly jacobian?: string | undefined
  readonly heatmap?: string | undefined
  readonly features?: string | undefined
}

interface SessionForm {
  readonly path: string
  readonly size: number
  readonly names: OutputNames
  /** The inputs of the session for one picture RGB [size, size, 3]. */
  feed(picture: Uint8Array): Tensors
}

type OutputKind = keyof OutputNames
const outputKinds: readonly OutputKind[] = ['value', 'jacobian', 'heatmap', 'features']

/** A session that finds keypoints in one picture, as a detector. */
export class SessionDetector implements KeypointDetector {
  readonly path: string
  readonly size: number
  readonly keypoints: number
  readonly jacobian: boolean
  readonly heatmap: readonly [number, number, number] | undefined
  readonly features: readonly [number, number, number] | undefined
  readonly device: Device

  /** @throws FormatError if an output does not have the type and shape that its name says. */
  constructor(
    private readonly session: Session,
    private readonly form: SessionForm,
  ) {
    this.path = form.path
    this.size = form.size
    this.device = session.device
    const shape = (kind: OutputKind, ...axes: readonly (number | string)[]) => {
      const port = session.outputs.get(form.names[kind] ?? '')
      return port && shapeOf(port, axes, `${form.path}, output ${form.names[kind]}`)
    }
    const [, keypoints] = shape('value', 'N', 'K', 2) ?? []
    this.keypoints = keypoints!
    this.jacobian = shape('jacobian', 'N', this.keypoints, 2, 2) !== undefined
    const map = (found: number[] | undefined) => found && (found.slice(1) as [number, number, number])
    this.heatmap = map(shape('heatmap', 'N', this.keypoints, 'h', 'w'))
    this.features = map(shape('features', 'N', 'F', 'h', 'w'))
  }

  async detect(frames: Uint8Array): Promise<Detections> {
    const { size, path } = this
    const bytes = size * size * 3
    if (frames.length === 0 || frames.length % bytes !== 0) {
      throw new InputError({
        what: 'the pictures are not of the size that the detector takes',
        where: path,
        got: `${frames.length} bytes`,
        expected: `${bytes} for each: RGB [${size}, ${size}, 3]`,
      })
    }
    const found: Record<OutputKind, Float32Array[]> = { value: [], jacobian: [], heatmap: [], features: [] }
    for (let at = 0; at < frames.length; at += bytes) {
      const results = await this.session.run(this.form.feed(frames.subarray(at, at + bytes)))
      for (const kind of outputKinds) {
        const result = results[this.form.names[kind] ?? '']
        if (result !== undefined) found[kind].push(finite(result, kind, path))
      }
    }
    return {
      value: joined(found.value)!,
      jacobian: joined(found.jacobian),
      heatmap: joined(found.heatmap),
      features: joined(found.features),
    }
  }

  close(): Promise<void> {
    return this.session.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

function finite({ data }: Tensor, kind: OutputKind, where: string): Float32Array {
  const numbers = data as Float32Array
  if (numbers.every(Number.isFinite)) return numbers
  throw new FormatError({
    what: `the detector gives a ${kind} that is not finite`,
    where,
    got: String(numbers.find((number) => !Number.isFinite(number))),
    remedy: 'its weights are broken: train or export it again',
  })
}

function joined(pieces: readonly Float32Array[]): Float32Array | undefined {
  if (pieces.length < 2) return pieces[0]
  const whole = new Float32Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

/**
 * The shape of an output in numbers, with 1 on the first axis.
 *
 * @param axes the expected size of each axis: a number, or a name that stands for any number.
 * @throws FormatError if the output has another type or shape, or leaves an axis open.
 */
function shapeOf({ dtype, shape }: PortType, axes: readonly (number | string)[], where: string): number[] {
  const fits =
    dtype === 'float32' &&
    shape.length === axes.length &&
    axes.every((axis, i) => typeof axis === 'string' || typeof shape[i] === 'string' || shape[i] === axis)
  const open = shape.some((n, axis) => axis > 0 && typeof n === 'string')
  if (fits && !open) return shape.map((n) => (typeof n === 'number' ? n : 1))
  throw new FormatError({
    what: fits
      ? 'the detector leaves the shape of an output open'
      : 'an output of the detector is not what its name says',
    where,
    got: describePort({ dtype, shape }),
    expected: `float32 [${axes.join(', ')}]${fits ? ', in numbers on all axes but the first' : ''}`,
    remedy: fits ? 'export it with fixed sizes' : 'give the output another name, or export what it names',
  })
}
