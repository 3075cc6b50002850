import { listNodes, type NodeSummary } from '../onnx/nodes.ts'

/**
 * Nodes that ONNX Runtime's WebGPU provider takes and then fails to run, by name: they are left to the CPU.
 * Without this, a network that trains with max pooling would not run at all.
 *
 * @param bytes an ONNX model.
 */
export function webGpuGaps(bytes: Uint8Array): string[] {
  return listNodes(bytes)
    .filter((node) => node.name !== '' && isGap(node))
    .map(({ name }) => name)
}

/** ONNX Runtime 1.30: "The Indices output is not supported yet". */
function isGap({ type, outputs }: NodeSummary): boolean {
  return type === 'MaxPool' && outputs.length > 1 && outputs[1] !== ''
}
