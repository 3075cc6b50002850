import type { Graph } from '../graph/graph.ts'
import { div } from '../graph/ops/arithmetic.ts'
import { cast } from '../graph/ops/compare.ts'
import { input, inputInfo } from '../graph/ops/leaf.ts'
import { transpose } from '../graph/ops/shape.ts'
import { rewrite } from '../graph/rewrite.ts'

/**
 * A graph that takes its pictures as decoders and canvases hold them: inputs of three channels and float32,
 * [N, 3, H, W] in [0, 1], become uint8 [N, H, W, 3], red first. A quarter of the bytes are handed over, and
 * nobody has to sort them.
 */
export function withByteFrames(graph: Graph): Graph {
  return rewrite(graph, (node, _inputs, target) => {
    const info = inputInfo(node)
    const [n, channels, height, width] = info?.shape ?? []
    if (info?.dtype !== 'float32' || info.shape.length !== 4 || channels !== 3) return undefined
    return target.within(node.scope, () => {
      const bytes = input(target, info.name, 'uint8', [n!, height!, width!, 3])
      return [div(cast(transpose(bytes, [0, 3, 1, 2]), 'float32'), 255)]
    })
  })
}
