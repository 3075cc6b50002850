import type { InferenceSession } from 'onnxruntime-common'
import type { Device } from './session.ts'

/**
 * How much ONNX Runtime rewrites a model when it is loaded. `fuse` is `all` for a graph that `simplify` has been
 * over: convolutions are fused with activations and products with transposes, and nothing else is looked for. On a
 * training step of 9,000 nodes that takes half of the time of loading away, and none of the speed.
 */
export type Optimise = 'none' | 'basic' | 'fuse' | 'all'

const levels = { none: 'disabled', basic: 'basic', fuse: 'all', all: 'all' } as const

/** What `simplify` has done. The names are ONNX Runtime's. */
const done = [
  'CastElimination',
  'CommonSubexpressionElimination',
  'ConstantFolding',
  'ConstantSharing',
  'GatherToSliceFusion',
  'Level1_RuleBasedTransformer',
  'NotWhereFusion',
  'ReshapeFusion',
  'TransposeOptimizer',
]

/** What looks for constant weights, of which a training step has none, and for models of other kinds. */
const elsewhere = [
  'AttentionFusion',
  'BiasGeluFusion',
  'BiasSkipLayerNormFusion',
  'BiasSoftmaxFusion',
  'ConvAddActivationFusion',
  'DoubleQDQPairsRemover',
  'DynamicQuantizeMatMulFusion',
  'EmbedLayerNormFusion',
  'EnsureUniqueDQForNodeUnit',
  'FastGeluFusion',
  'GeluFusionL1',
  'GeluFusionL2',
  'GemmActivationFusion',
  'GroupQueryAttentionFusion',
  'LabelEncoderFusion',
  'LayerNormFusion',
  'Level2_RuleBasedTransformer',
  'MatMulActivationFusion',
  'MatMulAddFusion',
  'MatMulIntegerToFloatFusion',
  'MatMulNBitsFusion',
  'MatMulScaleFusion',
  'NchwcTransformer',
  'NhwcTransformer',
  'PadFusion',
  'QDQFinalCleanupTransformer',
  'QDQPropagationTransformer',
  'QDQSelectorActionTransformer',
  'QuickGeluFusion',
  'SimplifiedLayerNormFusion',
  'SkipLayerNormFusion',
  'SliceConcatToSpaceToDepthFusion',
  'WhereDummyDq',
]

/** The session options of a level; other providers than the CPU's need some of the passes, and get all. */
export function optimisation(level: Optimise, device: Device): LevelOptions {
  const skips = level === 'fuse' && device === 'cpu'
  return {
    graphOptimizationLevel: levels[level],
    extra: skips ? { optimization: { disable_specified_optimizers: [...done, ...elsewhere].join(';') } } : {},
  }
}

type LevelOptions = Required<Pick<InferenceSession.SessionOptions, 'graphOptimizationLevel' | 'extra'>>
