import { type MotionConfig, smallConfig } from '../../src/motion/config.ts'

/** A model that is small enough to train in tests: tens of milliseconds a step. */
export function tinyModel(net = 'hourglass'): MotionConfig {
  const base = smallConfig({ net, size: 32, keypoints: 3 })
  return {
    ...base,
    detector: { ...base.detector, hourglass: { blockExpansion: 4, maxFeatures: 8, blocks: 3 } },
    denseMotion: { ...base.denseMotion, blockExpansion: 4, maxFeatures: 8, blocks: 2 },
    generator: { ...base.generator, blockExpansion: 4, maxFeatures: 8, downBlocks: 2, bottleneckBlocks: 1 },
  }
}
