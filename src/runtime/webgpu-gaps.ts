import { listNodes, type NodeSummary } from '../onnx/nodes.ts'

/**
 * Nodes that ONNX Runtime's WebGPU provider (1.30) takes and then fails to run, or runs wrongly, by name: they are
 * left to the CPU. Without this, a network that trains with max pooling would not run at all.
 *
 * @param bytes an ONNX model.
 */
export function webGpuGaps(bytes: Uint8Array): string[] {
  return listNodes(bytes)
    .filter((node) => node.name !== '' && (isIndexedPool(node) || isMiscomputedConv(node)))
    .map(({ name }) => name)
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
