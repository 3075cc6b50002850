// A model in evaluation mode that reads the flat vectors of a run in training: previews need neither files nor new sessions.
import { Graph, type Value } from '../graph/graph.ts'
import { cast, input, mul, transpose } from '../graph/ops/index.ts'
import { type Tensor, tensor } from '../graph/tensor.ts'
import { Scope } from '../layers/scope.ts'
import type { Keypoints } from '../model/inputs-outputs.ts'
import type { OpenSession, Session } from '../runtime/session.ts'
import { copyWithFlat, type FlatLayouts, type TrainingState } from './state.ts'

/** What an evaluation model computes, and from what. */
export interface EvaluationOptions {
  /** Frames that one run takes. */
  readonly frames: number
  /** Side of a frame in pixels. */
  readonly size: number
  /** Where each parameter stands in the run's vectors. */
  readonly layouts: FlatLayouts
  readonly openSession: OpenSession
  /** Builds the outputs by name. `pixels` are the frames as images [N, 3, size, size] in [0, 1]. */
  build(scope: Scope, pixels: Value): Readonly<Record<string, Value>>
}

/** A model in evaluation mode over a run's own flat vectors. */
export class EvaluationModel {
  private constructor(
    private readonly session: Session,
    private readonly shape: readonly number[],
  ) {}

  static async create(options: EvaluationOptions): Promise<EvaluationModel> {
    const shape = [options.frames, options.size, options.size, 3]
    return new EvaluationModel(await options.openSession(evaluationGraph(options, shape)), shape)
  }

  /**
   * @param frames RGB [N, size, size, 3]
   * @returns the outputs by name
   */
  run({ weights, buffers }: TrainingState, frames: Uint8Array<ArrayBuffer>): Promise<Record<string, Tensor>> {
    return this.session.run({
      weights: tensor('float32', [weights.length], weights),
      ...(buffers.length > 0 && { buffers: tensor('float32', [buffers.length], buffers) }),
      frames: tensor('uint8', this.shape, frames),
    })
  }

  close(): Promise<void> {
    return this.session.close()
  }
}

function evaluationGraph({ layouts, build }: EvaluationOptions, shape: readonly number[]): Graph {
  const built = new Graph()
  const frames = input(built, 'frames', 'uint8', shape)
  const pixels = mul(transpose(cast(frames, 'float32'), [0, 3, 1, 2]), 1 / 255)
  const wanted = build(Scope.root(built, { training: false }), pixels)
  const flat = copyWithFlat(Object.values(wanted), layouts)
  for (const [name, result] of Object.entries(wanted)) flat.graph.output(name, flat.copy(result))
  return flat.graph
}

/** The keypoints of one frame among the outputs `value` [N, K, 2] and, if there is one, `jacobian` [N, K, 2, 2]. */
export function keypointsOfFrame(outputs: Readonly<Record<string, Tensor>>, frame: number): Keypoints {
  const row = ({ data, shape }: Tensor) => {
    const length = data.length / shape[0]!
    return (data as Float32Array).slice(frame * length, (frame + 1) * length)
  }
  return { value: row(outputs.value!), jacobian: outputs.jacobian && row(outputs.jacobian) }
}
