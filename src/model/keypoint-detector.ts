// A keypoint detector of any origin, one picture at a time: the interface, and its implementation on a session.
import type { Tensor } from '../graph/tensor.ts'
import { type Device, describePort, type PortType, type Session, type Tensors } from '../runtime/session.ts'
import { FormatError, InputError } from '../util/errors.ts'

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
