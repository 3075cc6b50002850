// The keypoint detectors that are timed against each other, as models that any runtime takes.
import { Graph, type Value } from '../../src/graph/graph.ts'
import { mul, reduceSum } from '../../src/graph/ops/arithmetic.ts'
import { conv } from '../../src/graph/ops/conv.ts'
import { constant, countParameters, initialise, input, parametersOf } from '../../src/graph/ops/leaf.ts'
import { pad, reshape, slice } from '../../src/graph/ops/shape.ts'
import { floats } from '../../src/graph/tensor.ts'
import { conv2d } from '../../src/layers/conv2d.ts'
import { antiAliasKernel, coordinateGrid } from '../../src/layers/fomm.ts'
import { Scope } from '../../src/layers/scope.ts'
import { type RewriteOptions, rewriteExactly } from '../../src/model/open-model.ts'
import { type MotionConfig, publishedConfig, smallConfig } from '../../src/motion/config.ts'
import { spatialSoftmax } from '../../src/motion/keypoints.ts'
import { detectorGraph } from '../../src/motion/model.ts'
import { toOnnx } from '../../src/onnx/export.ts'
import type { Weighted } from '../../src/optimise/rewrite-with.ts'
import { profile } from '../../src/profile/profile.ts'
import { Random } from '../../src/util/random.ts'
import { hourglassFeatures, hourglassSchema } from '../../src/zoo/hourglass.ts'
import { defaultNet } from '../../src/zoo/registry.ts'

/** Side of the frames in pixels. */
export const detectorFrameSize = 256

export const detectorForms = ['published', 'exact', 'light'] as const
export type DetectorForm = (typeof detectorForms)[number]

/** Input `frame` [1, 3, 256, 256] in [0, 1]; outputs `value` [1, K, 2] and `jacobian` [1, K, 2, 2]. */
export interface DetectorModel {
  readonly form: DetectorForm
  /** The model with its weights. */
  readonly onnx: Uint8Array
  /** Number of trained parameters. */
  readonly params: number
  readonly macs: number
  /** ONNX nodes. */
  readonly ops: number
}

/**
 * The published detector, the same rewritten, and a light one, in this order. Their weights are random: time does not
 * depend on them.
 *
 * @param options the kernels for which the last two are rewritten
 */
export async function detectorModels(options: RewriteOptions = {}): Promise<DetectorModel[]> {
  const published = publishedDetector(detectorFrameSize)
  const weights = initialise(parametersOf(published), new Random(1))
  const ours = detectorGraph({ ...publishedConfig, size: detectorFrameSize })
  const exact = await rewriteExactly({ graph: ours, weights }, options)
  const light = detectorGraph(lightDetector())
  const lightWeights = initialise(parametersOf(light), new Random(2))
  const rewritten = await rewriteExactly({ graph: light, weights: lightWeights }, options)
  // Rewriting changes the number of weights. The parameters that were trained are counted.
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

/**
 * The published keypoint detector (Siarohin et al. 2019), op by op as its PyTorch code runs and as PyTorch exports
 * it: the anti-alias filter at full resolution, of which every fourth pixel is kept; jacobian maps of every pixel;
 * weighted sums by products. pantin's own graphs compute some of that in another way, so they are compared with this
 * one.
 *
 * @returns input `frame` [1, 3, size, size] in [0, 1]; outputs `value` [1, K, 2] and `jacobian` [1, K, 2, 2];
 *   parameters under the published names
 */
export function publishedDetector(size: number): Graph {
  const { keypoints: k, detector } = publishedConfig
  const graph = new Graph()
  const scope = Scope.root(graph, { training: false, dilations: 'published' }).child('kp_detector')
  const frame = input(graph, 'frame', 'float32', [1, 3, size, size])
  const down = filteredThenSampled(scope.child('down'), frame, detector.scaleFactor)
  const features = hourglassFeatures(
    scope.child('predictor'),
    down,
    hourglassSchema.parse(detector.hourglass),
  )

  const maps = (name: string, outputs: number) =>
    conv2d(scope.child(name), features, outputs, { kernel: 7, padding: 0 })
  const heatmap = spatialSoftmax(maps('kp', k), detector.temperature)
  const [h, w] = heatmap.shape.slice(2) as [number, number]
  const grid = reshape(constant(graph, coordinateGrid(h, w)), [1, 1, h, w, 2])
  graph.output('value', reduceSum(mul(reshape(heatmap, [1, k, h, w, 1]), grid), [2, 3]))

  const jacobianMap = reshape(maps('jacobian', 4 * k), [1, k, 4, h * w])
  const weighed = reduceSum(mul(reshape(heatmap, [1, k, 1, h * w]), jacobianMap), [3])
  graph.output('jacobian', reshape(weighed, [1, k, 2, 2]))
  return graph
}

function filteredThenSampled(scope: Scope, x: Value, scale: number): Value {
  const kernel = antiAliasKernel(scale)
  const side = kernel.shape[0]!
  const values = floats(
    [0, 1, 2].flatMap(() => [...kernel.data]),
    [3, 1, side, side],
  )
  const weight = scope.buffer('weight', values.shape, { kind: 'values', values })
  const border = (side - 1) / 2
  const padded = pad(x, [0, 0, border, border], [0, 0, border, border])
  const step = Math.round(1 / scale)
  return slice(conv(padded, weight, undefined, { group: 3 }), [0, 0, 0, 0], [...x.shape], [1, 1, step, step])
}
