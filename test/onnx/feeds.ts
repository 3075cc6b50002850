import type { Graph } from '../../src/graph/graph.ts'
import { fromPlain, toPlain } from '../../src/graph/ops/leaf.ts'
import { liveNodes } from '../../src/graph/rewrite.ts'
import { type DType, type Shape, sizeOf, type Tensor } from '../../src/graph/tensor.ts'
import { leavesOf } from '../../src/onnx/export.ts'

/** Numbers in (0, 1) that repeat nowhere near each other: the fractions of multiples of the golden ratio. */
export function someTensor(dtype: DType, shape: Shape, offset = 0): Tensor {
  const golden = (Math.sqrt(5) - 1) / 2
  const values = Float64Array.from({ length: sizeOf(shape) }, (_, i) => ((i + 1 + offset) * golden) % 1)
  return fromPlain({ dtype, shape }, dtype === 'float32' ? values : values.map((x) => Math.floor(x * 2)))
}

/** Something to feed to every input of a graph. */
export function feedsOf(graph: Graph): Record<string, Tensor> {
  const { inputs } = leavesOf(liveNodes(graph))
  return Object.fromEntries(
    Array.from(inputs.values(), ({ name, dtype, shape }, i) => [name, someTensor(dtype, shape, 100 * i)]),
  )
}

/** Something for every parameter of a graph. */
export function weightsFor(graph: Graph): Map<string, Tensor> {
  const { parameters } = leavesOf(liveNodes(graph))
  return new Map(
    Array.from(parameters.values(), ({ name, shape }, i) => [
      name,
      someTensor('float32', shape, 7 + 100 * i),
    ]),
  )
}

/** The largest difference between two tensors' elements, in parts of the larger of 1 and the expected one. */
export function worstDifference(got: Tensor, expected: ArrayLike<number>): number {
  return toPlain(got).data.reduce(
    (worst, x, i) => Math.max(worst, Math.abs(x - expected[i]!) / Math.max(1, Math.abs(expected[i]!))),
    0,
  )
}
