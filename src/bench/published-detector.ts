import { Graph, type Value } from '../graph/graph.ts'
import { mul, reduceSum } from '../graph/ops/arithmetic.ts'
import { conv } from '../graph/ops/conv.ts'
import { constant, input } from '../graph/ops/leaf.ts'
import { pad, reshape, slice } from '../graph/ops/shape.ts'
import { floats } from '../graph/tensor.ts'
import { conv2d } from '../layers/conv2d.ts'
import { antiAliasKernel, coordinateGrid } from '../layers/fomm.ts'
import { Scope } from '../layers/scope.ts'
import { publishedConfig } from '../motion/config.ts'
import { spatialSoftmax } from '../motion/keypoints.ts'
import { hourglassFeatures } from '../zoo/hourglass.ts'

/**
 * The published keypoint detector (Siarohin et al. 2019) op by op as its PyTorch code runs and as PyTorch
 * exports it: the anti-alias filter at full resolution, of which every fourth pixel is kept; jacobian maps of
 * every pixel; weighed sums by products. Our own graphs do some of that otherwise, so they are held against this.
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
  const features = hourglassFeatures(scope.child('predictor'), down, detector.hourglass)

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
