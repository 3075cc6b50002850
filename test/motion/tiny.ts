// Models that compute fast, and what they read.
import type { Graph } from '../../src/graph/graph.ts'
import { initialise, parametersOf } from '../../src/graph/ops/leaf.ts'
import { floats, sizeOf, type Tensor } from '../../src/graph/tensor.ts'
import { type MotionConfig, smallConfig } from '../../src/motion/config.ts'
import { Random } from '../../src/util/random.ts'

export const small = smallConfig({ net: 'lednet', size: 32, keypoints: 2 })
export const tiny: MotionConfig = {
  ...small,
  net: 'hourglass',
  detector: { ...small.detector, hourglass: { blockExpansion: 4, maxFeatures: 8, blocks: 2 } },
  denseMotion: { ...small.denseMotion, blockExpansion: 4, maxFeatures: 8, blocks: 2 },
  generator: { ...small.generator, blockExpansion: 4, maxFeatures: 8, downBlocks: 2, bottleneckBlocks: 1 },
}

/** A light model whose detector sees the frames at half their size. */
const light = smallConfig({ net: 'lednet', size: 128, keypoints: 2, generator: 'light' })
export const tinyLight: MotionConfig = {
  ...tiny,
  detector: { ...tiny.detector, scaleFactor: 0.5, filter: 'box' },
  denseMotion: { ...tiny.denseMotion, scaleFactor: 0.25 },
  generator: { ...light.generator, blockExpansion: 4, maxFeatures: 16, bottleneckBlocks: 1 },
}

export function noise(shape: readonly number[], seed: number): Tensor<'float32'> {
  const random = new Random(seed)
  return floats(
    Array.from({ length: sizeOf(shape) }, () => random.uniform()),
    shape,
  )
}

/** Feeds of a generator graph: everything in its place, but the driving keypoints moved by `shift`. */
export function still(config: MotionConfig, shift = 0) {
  const { size, keypoints: k } = config
  const identities = floats(
    Array.from({ length: 4 * k }, (_, i) => (i % 4 === 0 || i % 4 === 3 ? 1 : 0)),
    [1, k, 2, 2],
  )
  const values = (by: number) =>
    floats(
      Array.from({ length: 2 * k }, (_, i) => 0.1 * i + by),
      [1, k, 2],
    )
  return {
    source: noise([1, 3, size, size], 1),
    valueSource: values(0),
    jacobianSource: identities,
    valueDriving: values(shift),
    jacobianDriving: identities,
  }
}

export const weightsOf = (graph: Graph) => initialise(parametersOf(graph), new Random(4))
