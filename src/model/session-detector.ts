import type { Tensor } from '../graph/tensor.ts'
import { type Device, describePort, type PortType, type Session, type Tensors } from '../runtime/session.ts'
import { FormatError, InputError } from '../util/errors.ts'
import type { Detections, KeypointDetector } from './keypoint-detector.ts'

/** Which outputs of a session hold what. */
export interface OutputNames {
  readonly value: string
  readonly jacobian?: string | undefined
  readonly heatmap?: string | undefined
  readonly features?: string | undefined
}

interface Form {
  readonly path: string
  readonly size: number
  readonly names: OutputNames
  /** The session's inputs for one picture RGB [size, size, 3]. */
  feed(picture: Uint8Array): Tensors
}

type Part = keyof OutputNames
const parts: readonly Part[] = ['value', 'jacobian', 'heatmap', 'features']

/** A session that finds keypoints in one picture, as a detector. */
export class SessionDetector implements KeypointDetector {
  readonly path: string
  readonly size: number
  readonly keypoints: number
  readonly jacobian: boolean
  readonly heatmap: readonly [number, number, number] | undefined
  readonly features: readonly [number, number, number] | undefined
  readonly device: Device

  /** @throws FormatError where its outputs are not what their names say. */
  constructor(
    private readonly session: Session,
    private readonly form: Form,
  ) {
    this.path = form.path
    this.size = form.size
    this.device = session.device
    const shape = (part: Part, ...axes: readonly (number | string)[]) => {
      const port = session.outputs.get(form.names[part] ?? '')
      return port && shapeOf(port, axes, `${form.path}, output ${form.names[part]}`)
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
    const found: Record<Part, Float32Array[]> = { value: [], jacobian: [], heatmap: [], features: [] }
    for (let at = 0; at < frames.length; at += bytes) {
      const results = await this.session.run(this.form.feed(frames.subarray(at, at + bytes)))
      for (const part of parts) {
        const result = results[this.form.names[part] ?? '']
        if (result !== undefined) found[part].push(finite(result, part, path))
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
}

function finite({ data }: Tensor, part: Part, where: string): Float32Array {
  const numbers = data as Float32Array
  if (numbers.every(Number.isFinite)) return numbers
  throw new FormatError({
    what: `the detector gives a ${part} that is not finite`,
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
 * An output's shape in numbers, with 1 on the first axis.
 *
 * @param axes what they are to be: a number, or any number of that name
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
