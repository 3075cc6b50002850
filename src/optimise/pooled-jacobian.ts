import type { Graph, Node, Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { matmul } from '../graph/ops/linear.ts'
import { concat, pad, reshape, sliceAxis, split, stack, transpose } from '../graph/ops/shape.ts'
import { rewrite } from '../graph/rewrite.ts'
import { isPlainConv, madeBy, numbers } from './pattern.ts'

/**
 * The published head makes four maps a keypoint by a 7x7 convolution, only to take their mean under the
 * keypoint's heatmap: Σ h · (W ∗ F). Both are linear, so the features are weighed first, W · (h ⋆ F), which is
 * as many products as the heatmaps' own convolution has in place of four times as many.
 *
 * h ⋆ F at all 7x7 shifts is one matrix product: heatmaps, shifted along rows, against features, cut at each
 * shift along columns.
 */
export function poolBeforeJacobian(graph: Graph): Graph {
  return rewrite(graph, (node, inputs, target) => {
    const found = node.op.name === 'reduceSum' ? weighedConv(node, inputs) : undefined
    return found && target.within(node.scope, () => [pooled(found)])
  })
}

interface WeighedConv {
  /** [1, K, h, w], in any shape */
  readonly heatmap: Value
  /** [h, w] */
  readonly size: readonly [number, number]
  /** [1, F, H, W] */
  readonly features: Value
  /** [4 K, F, kh, kw] */
  readonly kernel: Value
  readonly bias: Value
}

/** reduceSum(heatmap as [1, K, 1, h w] · conv as [1, K, 4, h w], the last axis). */
function weighedConv(node: Node, inputs: readonly Value[]): WeighedConv | undefined {
  const product = madeBy(inputs[0], 'mul')
  const [weights, maps] = (product?.inputs ?? []).map((value) => madeBy(value, 'reshape'))
  const conv = maps?.inputs[0]?.node
  const heatmap = weights?.inputs[0]
  if (conv === undefined || heatmap === undefined || !isPlainConv(conv) || conv.inputs.length < 3)
    return undefined
  const [features, kernel, bias] = conv.inputs as [Value, Value, Value]
  const [n, k, , pixels] = product!.outputs[0]!.shape
  const [, , h, w] = conv.outputs[0]!.shape as [number, number, number, number]
  const fits =
    n === 1 &&
    String(numbers(node.attrs.axes)) === '3' &&
    product!.outputs[0]!.shape[2] === 4 &&
    kernel.shape[0] === 4 * k! &&
    String(weights!.outputs[0]!.shape) === String([n, k, 1, h * w]) &&
    pixels === h * w &&
    String(conv.attrs.pads) === '0,0,0,0'
  return fits ? { heatmap, size: [h, w], features, kernel, bias } : undefined
}

/** @returns [1, K, 4] */
function pooled({ heatmap, size: [h, w], features, kernel, bias }: WeighedConv): Value {
  const k = kernel.shape[0]! / 4
  const [, f, , width] = features.shape as [number, number, number, number]
  const [kh, kw] = kernel.shape.slice(2) as [number, number]
  const line = h * width

  const maps = reshape(heatmap, [1, k, h, w])
  const shifted = Array.from({ length: kw }, (_, dx) => pad(maps, [0, 0, 0, dx], [0, 0, 0, kw - 1 - dx]))
  const heatmaps = reshape(stack(shifted, 2), [k * kw, line])
  const rows = reshape(features, [f, -1])
  const cuts = Array.from({ length: kh }, (_, dy) => sliceAxis(rows, 1, dy * width, dy * width + line))
  const sums = matmul(concat(cuts, 0), transpose(heatmaps, [1, 0]))
  const byShift = stack(split(sums, 0, new Array<number>(kh).fill(f)), 0)
  // [kh, F, K, kw] to the order of the kernel's own axes.
  const patches = reshape(transpose(reshape(byShift, [kh, f, k, kw]), [2, 1, 0, 3]), [k, f * kh * kw, 1])
  const found = matmul(reshape(kernel, [k, 4, f * kh * kw]), patches)
  return reshape(add(found, reshape(bias, [k, 4, 1])), [1, k, 4])
}
