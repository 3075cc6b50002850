import * as ort from 'onnxruntime-node'
import type { Tensor } from '../graph/tensor.ts'

/** onnxruntime-node as pantin uses it: quiet, and with pantin's tensors. */

/** ONNX Runtime's severities, most talkative first. */
const levels = ['verbose', 'info', 'warning', 'error', 'fatal'] as const

// ONNX Runtime warns of every layout it would have liked better. PANTIN_LOG=warning (or info, ...) shows that.
const wanted = process.env.PANTIN_LOG
const level = levels.find((name) => name === wanted) ?? (wanted ? 'warning' : undefined)

// Errors are thrown as well, so what is printed would be said twice.
ort.env.logLevel = level ?? 'fatal'

/** For session and run options. */
export const logSeverityLevel = (level === undefined ? 4 : levels.indexOf(level)) as 0 | 1 | 2 | 3 | 4

export { ort }

/** ONNX Runtime's tensor over the same memory. */
export function toOrt({ dtype, data, shape }: Tensor): ort.Tensor {
  return new ort.Tensor(dtype, data, shape)
}
