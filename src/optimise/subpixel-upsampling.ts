import type { Graph, Node, Value } from '../graph/graph.ts'
import { conv } from '../graph/ops/conv.ts'
import { concat, reshape } from '../graph/ops/shape.ts'
import { relu } from '../graph/ops/unary.ts'
import { rewrite } from '../graph/rewrite.ts'
import { sharedTaps } from '../layers/doubled-conv2d.ts'
import { type DoubledConv, doubledConv } from './doubled-conv.ts'
import { isPlainConv } from './pattern.ts'

/**
 * A 3x3 convolution of a map that was doubled by nearest neighbour reads each small pixel up to four times.
 * Its results at even and odd rows and columns are four 2x2 convolutions of the small map, whose kernels are
 * sums of the 3x3's taps: 16 products a small pixel in place of 36.
 *
 * ```
 * rows of the doubled map   a a b b c c       taps w0 w1 w2
 * at the first b            a [a b b] c c     w0 a + (w1 + w2) b
 * at the second b           a a [b b c] c     (w0 + w1) b + w2 c
 * ```
 *
 * The four kernels are 16 / 9 as large, so maps of a few pixels, which only wait for weights, stay as they are.
 */
export function subpixelUpsampling(graph: Graph): Graph {
  const relus = rewrite(graph, (node, inputs) => {
    const found = node.op.name === 'relu' ? upsampledConv(inputs[0]?.node) : undefined
    return found && [within(node, found, relu)]
  })
  return rewrite(relus, (node, inputs, target) => {
    if (!isPlainConv(node)) return undefined
    const copied = target.within(node.scope, () => target.apply(node.op, inputs, node.attrs))
    const found = upsampledConv(copied[0]!.node)
    return found ? [within(node, found, (value) => value)] : copied
  })
}

/** Below this many pixels a map costs the reading of its weights. */
const leastPixels = 16

function upsampledConv(node: Node | undefined): DoubledConv | undefined {
  const found = doubledConv(node)
  return found && found.x.shape[2]! * found.x.shape[3]! >= leastPixels ? found : undefined
}

function within(node: Node, found: DoubledConv, act: (value: Value) => Value): Value {
  const { graph } = found.x
  return graph.within(node.scope, () => interleaved(found, act))
}

function interleaved({ x, kernel, bias }: DoubledConv, act: (value: Value) => Value): Value {
  const [n, , height, width] = x.shape as [number, number, number, number]
  const channels = kernel.shape[0]!
  const part = (row: 0 | 1, column: 0 | 1) => {
    const pads = [1 - row, 1 - column, row, column] as const
    return reshape(act(conv(x, sharedTaps(kernel, row, column), bias, { pads })), [
      n,
      channels,
      height,
      1,
      width,
      1,
    ])
  }
  const rows = ([0, 1] as const).map((row) => concat([part(row, 0), part(row, 1)], 5))
  return reshape(concat(rows, 3), [n, channels, 2 * height, 2 * width])
}
