import { Graph } from '../../src/graph/graph.ts'
import { input, reduceMean, relu, square, sub } from '../../src/graph/ops/index.ts'
import { floats } from '../../src/graph/tensor.ts'
import { batchNorm2d, conv2d } from '../../src/layers/conv2d.ts'
import { Scope } from '../../src/layers/scope.ts'
import type { Tensors } from '../../src/runtime/session.ts'
import { adamDefaults } from '../../src/train/adam.ts'
import { type TrainingStep, withState } from '../../src/train/step.ts'
import { Random } from '../../src/util/random.ts'

/**
 * A step of two convolutions. Its norm sees the pictures, and nothing sees the norm: its statistics change, and the
 * gradient of each picture is its own.
 */
export function smallStep(batch: number): TrainingStep {
  const graph = new Graph()
  const scope = Scope.root(graph, { training: true })
  const frames = input(graph, 'frames', 'float32', [batch, 3, 8, 8])
  batchNorm2d(scope.child('norm'), frames)
  const inner = relu(conv2d(scope.child('first'), frames, 8, { kernel: 3 }))
  const found = conv2d(scope.child('second'), inner, 3, { kernel: 3 })
  return withState(scope, { loss: reduceMean(square(sub(found, frames))) }, adamDefaults)
}

/** Pictures of one seed; a whole batch begins with those of its first part. */
export const smallBatch = (seed: number, batch: number): Tensors => {
  const random = new Random(seed)
  return {
    frames: floats(
      Array.from({ length: batch * 192 }, () => random.uniform()),
      [batch, 3, 8, 8],
    ),
  }
}
