// What ONNX Runtime is told when it loads a model: how much to rewrite it, and which nodes its WebGPU provider must not
// get.

import type { InferenceSession } from 'onnxruntime-common'
import { listNodes, type NodeSummary } from '../onnx/import/decode.ts'
import type { Device, Optimise } from './session.ts'

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

/**
 * The WebGPU provider, without the nodes that it (1.30) takes and then fails to run, or runs wrongly: those are left
 * to the CPU. Without this, a network that trains with max pooling would not run at all.
 *
 * @param bytes an ONNX model.
 */
export function webGpuProvider(bytes: Uint8Array): InferenceSession.WebGpuExecutionProviderOption {
  const forceCpuNodeNames = listNodes(bytes)
    .filter((node) => node.name !== '' && (isIndexedPool(node) || isMiscomputedConv(node)))
    .map(({ name }) => name)
  return { name: 'webgpu', ...(forceCpuNodeNames.length > 0 && { forceCpuNodeNames }) }
}

/** "The Indices output is not supported yet". */
function isIndexedPool({ type, outputs }: NodeSummary): boolean {
  return type === 'MaxPool' && outputs.length > 1 && outputs[1] !== ''
}

/**
 * Convolutions of 6, 9, 15, 18, 21, ... channels to a multiple of 4 come out wrong, without a word: those whose
 * channels are a multiple of 3 and none of 4. Three channels, and kernels of one pixel, are right.
 */
function isMiscomputedConv({ type, stored: [, kernel] }: NodeSummary): boolean {
  if (type !== 'Conv' || kernel === undefined) return false
  const [outputs = 0, channels = 0, ...sides] = kernel
  return (
    channels > 3 &&
    channels % 3 === 0 &&
    channels % 4 !== 0 &&
    outputs % 4 === 0 &&
    sides.some((side) => side > 1)
  )
}
