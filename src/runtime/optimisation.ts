import type { InferenceSession } from 'onnxruntime-common'
import type { Device } from './session.ts'

/**
 * How much ONNX Runtime rewrites a model when it is loaded. `fuse` is `all` for a graph that `simplify` has been
 * over: kernels are fused, and what is shared, folded or joined already is not looked for again. On a training
 * step of 9,000 nodes that takes a quarter of the time of loading away, and none of the speed.
 */
export type Optimise = 'none' | 'basic' | 'fuse' | 'all'

const levels = { none: 'disabled', basic: 'basic', fuse: 'all', all: 'all' } as const

/** ONNX Runtime's names. NchwcTransformer packs constant kernels; a training step has none. */
const done = [
  'CommonSubexpressionElimination',
  'ConstantFolding',
  'ConstantSharing',
  'Level1_RuleBasedTransformer',
  'NchwcTransformer',
  'ReshapeFusion',
  'TransposeOptimizer',
]

/** The session options of a level; other providers than the CPU's need some of the passes, and get all. */
export function optimisation(level: Optimise, device: Device): LevelOptions {
  const skips = level === 'fuse' && device === 'cpu'
  return {
    graphOptimizationLevel: levels[level],
    extra: skips ? { optimization: { disable_specified_optimizers: done.join(';') } } : {},
  }
}

type LevelOptions = Required<Pick<InferenceSession.SessionOptions, 'graphOptimizationLevel' | 'extra'>>
