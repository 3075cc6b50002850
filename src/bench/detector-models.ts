import { type MotionConfig, publishedConfig, smallConfig } from '../motion/config.ts'
import { detectorGraph } from '../motion/model.ts'
import { countParameters, initialise, parametersOf } from '../motion/weights.ts'
import { toOnnx } from '../onnx/export.ts'
import type { Weighted } from '../optimise/precompute.ts'
import { type RewriteOptions, rewriteExactly } from '../optimise/rewrite-exactly.ts'
import { profile } from '../profile/profile.ts'
import { Random } from '../util/random.ts'
import { defaultNet } from '../zoo/registry.ts'
import { publishedDetector } from './published-detector.ts'

/** The keypoint detectors that are timed against each other, as models that any runtime takes. */

/** Side of the frames in pixels. */
export const detectorFrameSize = 256

export const detectorForms = ['published', 'exact', 'light'] as const
export type DetectorForm = (typeof detectorForms)[number]

/** Input `frame` [1, 3, 256, 256] in [0, 1]; outputs `value` [1, K, 2] and `jacobian` [1, K, 2, 2]. */
export interface DetectorModel {
  readonly form: DetectorForm
  /** The model with its weights. */
  readonly onnx: Uint8Array
  /** Numbers that are trained. */
  readonly params: number
  readonly macs: number
  /** ONNX nodes. */
  readonly ops: number
}

/**
 * The published detector, the same rewritten, and a light one, in this order, with random weights: time does not
 * depend on them.
 *
 * @param options for whose kernels the last two are rewritten
 */
export async function detectorModels(options: RewriteOptions = {}): Promise<DetectorModel[]> {
  const published = publishedDetector(detectorFrameSize)
  const weights = initialise(parametersOf(published), new Random(1))
  const ours = detectorGraph({ ...publishedConfig, size: detectorFrameSize })
  const exact = await rewriteExactly({ graph: ours, weights }, options)
  const light = detectorGraph(lightDetector())
  const lightWeights = initialise(parametersOf(light), new Random(2))
  const rewritten = await rewriteExactly({ graph: light, weights: lightWeights }, options)
  // Rewriting turns trained numbers into others; what counts is how many were trained.
  const [large, small] = [published, light].map((graph) => countParameters(parametersOf(graph)))
  return [
    model('published', { graph: published, weights }, large!),
    model('exact', exact, large!),
    model('light', rewritten, small!),
  ]
}

function model(form: DetectorForm, { graph, weights }: Weighted, params: number): DetectorModel {
  const { macs, ops } = profile(graph)
  return { form, onnx: toOnnx(graph, { weights }), params, macs, ops }
}

/** What `distil` makes by default, ficelle at 64x64, on the means of 4x4 pixels. */
function lightDetector(): MotionConfig {
  const base = smallConfig({ net: defaultNet, size: 64 })
  return {
    ...base,
    size: detectorFrameSize,
    detector: { ...base.detector, scaleFactor: 0.25, filter: 'box' },
  }
}
