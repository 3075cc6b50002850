// Matrix products.

import type { Value } from '../graph.ts'
import { type OpDef, refuse } from '../op.ts'
import { sizeOf } from '../tensor.ts'
import { sumTo } from './arithmetic.ts'
import { transpose } from './shape.ts'
import { broadcastShape, describe, expectInputs, forBroadcast, type NoAttrs } from './support.ts'

export const matmulOp: OpDef<NoAttrs> = {
  name: 'matmul',
  infer(inputs) {
    expectInputs(inputs, 2)
    const [a, b] = [inputs[0]!.shape, inputs[1]!.shape]
    if (a.length < 2 || b.length < 2 || a.at(-1) !== b.at(-2)) {
      refuse('matrices do not chain', {
        got: describe(inputs),
        expected: '[..., m, k] and [..., k, n]',
        remedy: 'transpose one of them, or check the number of channels',
      })
    }
    const batch = broadcastShape(a.slice(0, -2), b.slice(0, -2))
    return [{ dtype: 'float32', shape: [...batch, a.at(-2)!, b.at(-1)!] }]
  },
  emit: (onnx, inputs) => onnx.node('MatMul', inputs),
  // dA = dY Bᵀ, dB = Aᵀ dY, each summed over the batch axes along which it was stretched.
  gradient: ({ grad, inputs: [a, b], wanted }) => [
    wanted[0] ? sumTo(matmul(grad, transposeLast(b!)), a!.shape) : undefined,
    wanted[1] ? sumTo(matmul(transposeLast(a!), grad), b!.shape) : undefined,
  ],
  cost: ({ inputs: [a], outputs: [y] }) => sizeOf(y!.shape) * a!.shape.at(-1)!,
  reach: 'picture',
  words: 'product',
  reference([a, b], _, [type]) {
    const { shape } = type!
    const [m, n] = [shape.at(-2)!, shape.at(-1)!]
    const k = a!.shape.at(-1)!
    const batch = shape.slice(0, -2)
    const starts = (of: readonly number[]) => {
      const list = new Array<number>(sizeOf(batch))
      const size = of.at(-1)! * of.at(-2)!
      forBroadcast(batch, of.slice(0, -2), (i, at) => {
        list[i] = at * size
      })
      return list
    }
    const [startsA, startsB] = [starts(a!.shape), starts(b!.shape)]
    const out = new Float64Array(sizeOf(shape))
    for (let p = 0; p < startsA.length; p++) {
      for (let i = 0; i < m; i++) {
        for (let l = 0; l < k; l++) {
          const left = a!.data[startsA[p]! + i * k + l]!
          for (let j = 0; j < n; j++) out[(p * m + i) * n + j]! += left * b!.data[startsB[p]! + l * n + j]!
        }
      }
    }
    return [out]
  },
}

/** Matrix product over the last two axes; leading axes broadcast. */
export function matmul(a: Value, b: Value): Value {
  return a.graph.apply(matmulOp, [a, b], {})[0]!
}

/** Swaps the last two axes. ONNX Runtime fuses it into the product that reads it. */
export function transposeLast(x: Value): Value {
  const rank = x.shape.length
  const order = x.shape.map((_, i) => (i === rank - 1 ? rank - 2 : i === rank - 2 ? rank - 1 : i))
  return transpose(x, order)
}
