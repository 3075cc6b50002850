import type { Graph, Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { pad, sliceAxis } from '../graph/ops/shape.ts'
import { rewrite } from '../graph/rewrite.ts'
import { isPlainConv, madeBy } from './pattern.ts'

/**
 * A convolution of joined maps is the sum of their convolutions. ONNX Runtime's fast kernels on the CPU work on
 * blocks of sixteen channels; a few channels joined to many (FOMM's features are 32 and the picture's 3) keep
 * them from all. So the many go on their own, and results are filled up to whole blocks.
 */
export function splitJoined(graph: Graph): Graph {
  return rewrite(graph, (node, inputs, target) => {
    const [joined, kernel, bias] = inputs as [Value, Value, Value | undefined]
    const parts = isPlainConv(node) ? madeBy(joined, 'concat') : undefined
    if (parts?.attrs.axis !== 1 || parts.inputs.length !== 2) return undefined
    const [many, few] = parts.inputs as [Value, Value]
    const channels = many.shape[1]!
    const worthwhile =
      channels % block === 0 && few.shape[1]! < block && kernel.shape[2]! * kernel.shape[3]! > 9
    if (!worthwhile || bias === undefined) return undefined
    const outputs = kernel.shape[0]!
    const missing = (block - (outputs % block)) % block
    return target.within(node.scope, () => {
      const whole = pad(kernel, [0, 0, 0, 0], [missing, 0, 0, 0])
      const own = (x: Value, from: number, to: number, b: readonly Value[]) =>
        target.apply(node.op, [x, sliceAxis(whole, 1, from, to), ...b], node.attrs)[0]!
      const first = own(many, 0, channels, [pad(bias, [0], [missing])])
      const second = own(few, channels, kernel.shape[1]!, [])
      return [sliceAxis(add(first, second), 1, 0, outputs)]
    })
  })
}

const block = 16
