import { Graph } from '../../graph/graph.ts'
import { cast, input, mul, transpose } from '../../graph/ops/index.ts'
import { tensor } from '../../graph/tensor.ts'
import { Scope } from '../../layers/scope.ts'
import type { Keypoints } from '../../model/keypoints.ts'
import type { MotionConfig } from '../../motion/config.ts'
import { detect } from '../../motion/model.ts'
import type { OpenSession } from '../../runtime/open-session.ts'
import type { Session } from '../../runtime/session.ts'
import { copyWithFlat, type FlatLayouts } from '../flat.ts'
import type { TrainingState } from '../step-runner.ts'

/** The student in evaluation mode over a run's own flat vectors: what it finds before anything is saved. */
export class Student {
  private constructor(
    private readonly session: Session,
    private readonly size: number,
  ) {}

  static async create(model: MotionConfig, layouts: FlatLayouts, openSession: OpenSession): Promise<Student> {
    return new Student(await openSession(studentGraph(model, layouts)), model.size)
  }

  /** @param frame RGB [size, size, 3] */
  async detect({ weights, buffers }: TrainingState, frame: Uint8Array): Promise<Keypoints> {
    const { value, jacobian } = await this.session.run({
      weights: tensor('float32', [weights.length], weights),
      ...(buffers.length > 0 && { buffers: tensor('float32', [buffers.length], buffers) }),
      frame: tensor('uint8', [1, this.size, this.size, 3], frame.slice()),
    })
    return { value: value!.data as Float32Array, jacobian: jacobian && (jacobian.data as Float32Array) }
  }

  close(): Promise<void> {
    return this.session.close()
  }
}

function studentGraph(model: MotionConfig, layouts: FlatLayouts): Graph {
  const built = new Graph()
  const frame = input(built, 'frame', 'uint8', [1, model.size, model.size, 3])
  const pixels = mul(transpose(cast(frame, 'float32'), [0, 3, 1, 2]), 1 / 255)
  const { value, jacobian } = detect(Scope.root(built, { training: false }), pixels, model).keypoints
  const wanted = { value, ...(jacobian && { jacobian }) }
  const flat = copyWithFlat(Object.values(wanted), layouts)
  for (const [name, result] of Object.entries(wanted)) flat.graph.output(name, flat.copy(result))
  return flat.graph
}
