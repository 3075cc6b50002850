import type { Tensor } from '../graph/tensor.ts'
import type { Device, Session, Tensors } from '../runtime/session.ts'
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
    const shape = (part: Part) => session.outputs.get(form.names[part] ?? '')?.shape
    const [, keypoints] = fixed(shape('value') ?? [], form.path)
    this.keypoints = keypoints!
    this.jacobian = shape('jacobian') !== undefined
    const map = (part: Part) => {
      const found = shape(part)
      return found && (fixed(found, form.path).slice(1) as [number, number, number])
    }
    this.heatmap = map('heatmap')
    this.features = map('features')
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

/** A shape of numbers alone, but for the first axis. */
function fixed(shape: readonly (number | string)[], where: string): number[] {
  return shape.map((n, axis) => {
    if (typeof n === 'number') return n
    if (axis === 0) return 1
    throw new FormatError({
      what: 'the detector leaves the shape of an output open',
      where,
      got: `[${shape.join(', ')}]`,
      expected: 'whole numbers on all axes but the first',
      remedy: 'export it with fixed sizes',
    })
  })
}
