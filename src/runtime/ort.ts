// What sessions on onnxruntime-node and onnxruntime-web have in common: metadata, tensors, errors, what ONNX Runtime is told
// when it loads a model, and when runs are made: one after the other, with short sleeps that let the system move threads.
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-common'
import { type DType, type Tensor, type TypedData, tensor } from '../graph/tensor.ts'
import { listNodes, type NodeSummary } from '../onnx/import/decode.ts'
import { EnvironmentError, FormatError, InputError, messageOf } from '../util/errors.ts'
import type { Device, Optimise, PortType } from './session.ts'

const dtypes: ReadonlySet<string> = new Set<DType>(['float32', 'int64', 'int32', 'uint8', 'int8', 'bool'])

/** Whether pantin has tensors of this type. */
const isDType = (type: string): type is DType => dtypes.has(type)

/** A session's inputs or outputs. @throws InputError if one is of a type that pantin does not carry. */
export function portsOf(metadata: readonly InferenceSession.ValueMetadata[]): Map<string, PortType> {
  return new Map(
    metadata.map((port) => {
      if (!port.isTensor || !isDType(port.type)) {
        throw new InputError({
          what: `the model's "${port.name}" is of a type that pantin does not carry`,
          got: port.isTensor ? port.type : 'no tensor',
          expected: 'float32, int64, int32, uint8, int8 or bool',
        })
      }
      return [port.name, { dtype: port.type, shape: port.shape }]
    }),
  )
}

/** pantin's tensor over the same memory. */
export function fromOrt({ dims, data }: Pick<OrtTensor, 'dims' | 'data'>, dtype: DType): Tensor {
  // The session's metadata says dtype, and ONNX Runtime holds the elements of each type as pantin does.
  return tensor(dtype, dims, data as TypedData[typeof dtype])
}

/** A model that cannot be loaded. */
export function loadError(error: unknown): FormatError {
  const message = messageOf(error)
  return new FormatError(
    {
      what: 'ONNX Runtime cannot load the model',
      ...whereOf(message),
      got: tidy(message),
      remedy: 'check the model with onnx.checker, or export it again at opset 20 or below',
    },
    { cause: error },
  )
}

/** A run that failed: out of memory, or its device is gone. */
export class ComputeError extends EnvironmentError {}

/** The error of a run that failed. */
export function runError(error: unknown, device: Device): ComputeError {
  const message = messageOf(error)
  return new ComputeError(
    {
      what: `ONNX Runtime failed to run the model on ${device}`,
      ...whereOf(message),
      got: tidy(message),
      ...(device === 'cpu' ? {} : { remedy: 'try the device "cpu" to tell the model from the device' }),
    },
    { cause: error },
  )
}

/** The node that a message names, as `Name:'encoder/Conv_1'` (run) or `Node (encoder/Conv_1)` (load). */
function whereOf(message: string): { where?: string } {
  const where = /Name:'([^']+)'/.exec(message)?.[1] ?? /[Nn]ode \(([^)]+)\)/.exec(message)?.[1]
  // A layout change appends _token_N to the names of the nodes that it replaces.
  return where === undefined ? {} : { where: where.replace(/_token_\d+$/, '') }
}

/** The message on one line, without the path and signature of the C++ function that it comes from. */
export function tidy(message: string): string {
  const line = message
    .replace(/\/\S*?\.(?:cc|cpp|h|hpp):\d+ /g, '')
    .replace(/\s+/g, ' ')
    .trim()
  return line.length > 400 ? `${line.slice(0, 400)}...` : line
}

/** Runs tasks one after the other; a task that fails does not stop those behind it. */
export class SerialQueue {
  private tail: Promise<unknown> = Promise.resolve()

  add<T>(task: () => Promise<T>): Promise<T> {
    const result = this.tail.then(task)
    this.tail = result.catch(() => undefined)
    return result
  }
}

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
