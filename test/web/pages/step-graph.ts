import { toOnnx } from '../../../src/onnx/export.ts'
import { resolveConfig } from '../../../src/train/config.ts'
import { buildTrainingStep } from '../../../src/train/reconstruction/step.ts'

/** Packed for a page by training-graph.test.ts, and called in Node too. */

/** A hash of the training step's ONNX bytes, for the settings that `train` resolves. */
export async function hashOfStep(net: string, generator: 'small' | 'light'): Promise<string> {
  const { model, training } = resolveConfig(['clip'], { out: 'run', net, generator, steps: 1 })
  const { batch, scales, losses: weights, transform, adam } = training
  const step = buildTrainingStep(model, { batch, scales, weights, transform, adam, colour: false })
  const digest = await crypto.subtle.digest('SHA-256', toOnnx(step.graph) as Uint8Array<ArrayBuffer>)
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
