import { Graph } from '../graph/graph.ts'
import { add, cast, clip, input, mul, sliceAxis, transpose } from '../graph/ops/index.ts'
import { type Tensor, tensor } from '../graph/tensor.ts'
import { Scope } from '../layers/scope.ts'
import type { Keypoints } from '../model/keypoints.ts'
import type { MotionConfig } from '../motion/config.ts'
import { animateFrame, detect } from '../motion/model.ts'
import type { OpenSession } from '../runtime/open-session.ts'
import type { Session } from '../runtime/session.ts'
import { copyWithFlat, type FlatLayouts } from './flat.ts'
import type { TrainingState } from './step-runner.ts'

/** What the model makes of one pair of frames. */
export interface Reconstruction {
  /** RGB [size, size, 3] */
  readonly prediction: Uint8Array
  readonly kpSource: Keypoints
  readonly kpDriving: Keypoints
}

/**
 * The model in evaluation mode over a training run's own flat vectors, so that previews and held-out losses
 * need neither files nor new sessions.
 */
export class Reconstructor {
  private constructor(
    private readonly session: Session,
    private readonly size: number,
  ) {}

  static async create(
    model: MotionConfig,
    layouts: FlatLayouts,
    openSession: OpenSession,
  ): Promise<Reconstructor> {
    const session = await openSession(reconstructionGraph(model, layouts))
    return new Reconstructor(session, model.size)
  }

  /** Drives `source` by `driving`, both RGB [size, size, 3], with absolute keypoints. */
  async run(state: TrainingState, source: Uint8Array, driving: Uint8Array): Promise<Reconstruction> {
    const frames = new Uint8Array(2 * source.length)
    frames.set(source)
    frames.set(driving, source.length)
    const results = await this.session.run({
      weights: tensor('float32', [state.weights.length], state.weights),
      ...(state.buffers.length > 0 && { buffers: tensor('float32', [state.buffers.length], state.buffers) }),
      frames: tensor('uint8', [2, this.size, this.size, 3], frames),
    })
    const keypoints = (row: number): Keypoints => ({
      value: rowOf(results.value!, row),
      jacobian: results.jacobian && rowOf(results.jacobian, row),
    })
    return {
      prediction: results.prediction!.data as Uint8Array,
      kpSource: keypoints(0),
      kpDriving: keypoints(1),
    }
  }

  async close(): Promise<void> {
    await this.session.close()
  }
}

function rowOf({ data }: Tensor, row: number): Float32Array {
  const half = data.length / 2
  return (data as Float32Array).slice(row * half, (row + 1) * half)
}

function reconstructionGraph(model: MotionConfig, layouts: FlatLayouts): Graph {
  const { size } = model
  const built = new Graph()
  const frames = input(built, 'frames', 'uint8', [2, size, size, 3])
  const pixels = mul(transpose(cast(frames, 'float32'), [0, 3, 1, 2]), 1 / 255)
  const scope = Scope.root(built, { training: false })
  const { value, jacobian } = detect(scope, pixels, model).keypoints
  const pick = (row: number) => ({
    value: sliceAxis(value, 0, row, row + 1),
    jacobian: jacobian && sliceAxis(jacobian, 0, row, row + 1),
  })
  const { prediction } = animateFrame(scope, sliceAxis(pixels, 0, 0, 1), pick(0), pick(1), model)
  const bytes = cast(clip(add(mul(transpose(prediction, [0, 2, 3, 1]), 255), 0.5), 0, 255), 'uint8')

  const wanted = { prediction: bytes, value, ...(jacobian && { jacobian }) }
  const flat = copyWithFlat(Object.values(wanted), layouts)
  for (const [name, result] of Object.entries(wanted)) flat.graph.output(name, flat.copy(result))
  return flat.graph
}
