import type { ParameterInfo } from '../graph/ops/leaf.ts'
import { sizeOf, type Tensor } from '../graph/tensor.ts'
import { Random } from '../util/random.ts'

/**
 * Weights to time a network with. How long a run takes does not depend on them, with two exceptions that these
 * stay clear of: numbers so small that processors compute with them slowly, and zeros and ones that ONNX
 * Runtime would optimise away. A table of random numbers is repeated, which takes no time even for a network
 * of a hundred million weights.
 */
export function timingWeights(
  parameters: Iterable<ParameterInfo>,
  seed: number,
): Map<string, Tensor<'float32'>> {
  const random = new Random(seed)
  // A prime number of them, so that rows of a kernel do not repeat each other.
  const table = Float32Array.from({ length: 65_521 }, () => random.between(0.1, 1))
  const signed = table.map((value) => (random.uniform() < 0.5 ? -value : value))
  return new Map(
    Array.from(parameters, ({ name, shape, initial }) => {
      const data = new Float32Array(sizeOf(shape))
      if (initial.kind === 'values') data.set(initial.values.data)
      else if (initial.kind === 'fill') repeat(table, data, (value) => initial.value + 0.01 * value)
      else {
        const amount = initial.kind === 'uniform' ? initial.amount : initial.deviation
        repeat(signed, data, (value) => amount * value)
      }
      return [name, { dtype: 'float32', data, shape }]
    }),
  )
}

/** Fills `data` with the table, each of its numbers changed by `change`. */
function repeat(table: Float32Array, data: Float32Array, change: (value: number) => number): void {
  const changed = table.subarray(0, data.length).map(change)
  for (let at = 0; at < data.length; at += changed.length) {
    data.set(changed.subarray(0, data.length - at), at)
  }
}
