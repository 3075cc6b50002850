import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Graph, type Value } from '../../src/graph/graph.ts'
import { add, div, mul, reduceMean, sub } from '../../src/graph/ops/arithmetic.ts'
import { greater, maximum, where } from '../../src/graph/ops/compare.ts'
import { constant, input, parameter } from '../../src/graph/ops/leaf.ts'
import { concat, pad, sliceAxis, transpose } from '../../src/graph/ops/shape.ts'
import { relu, sigmoid, softmax, tanh } from '../../src/graph/ops/unary.ts'
import { floats } from '../../src/graph/tensor.ts'
import { toOnnx } from '../../src/onnx/export.ts'
import { fromOnnx } from '../../src/onnx/import.ts'
import { weightsFor } from './feeds.ts'

/** Steps that keep the shape [2, 3, 4], so that any follows any. */
const steps: readonly ((a: Value, b: Value, n: number) => Value)[] = [
  (a, b) => add(a, b),
  (a, b) => mul(a, b),
  (a, b) => maximum(a, b),
  (a, _, n) => sub(a, n),
  (a, _, n) => div(n + 1, a),
  (a, b) => where(greater(a, b), a, b),
  (a) => relu(a),
  (a) => tanh(a),
  (a) => sigmoid(a),
  (a, _, n) => softmax(a, n % 3),
  (a, b) => sub(a, reduceMean(b, [1], { keep: true })),
  (a) => transpose(transpose(a, [2, 0, 1]), [1, 2, 0]),
  (a, b) => concat([sliceAxis(a, 2, 0, 1), sliceAxis(b, 2, 1, 4)], 2),
  (a) => pad(sliceAxis(a, 1, 1, 3), [0, 1, 0], [0, 0, 0], 1.5),
  (a, _, n) => add(a, constant(a.graph, floats([n, 1, 2, 3]))),
  (a, _, n) =>
    mul(a, parameter(a.graph, `w${n}`, [3, 1], { kind: 'fill', value: 1 }, n < 2 ? 'weight' : 'buffer')),
]

const step = fc.record({
  make: fc.constantFrom(...steps),
  a: fc.nat(),
  b: fc.nat(),
  n: fc.nat(4),
  scope: fc.constantFrom('', 'stem', 'stem/conv', 'd(stem/conv)'),
})

test('any graph comes back as the same bytes', () => {
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: 25 }),
      fc.array(fc.nat(), { maxLength: 3 }),
      (plan, picks) => {
        const graph = new Graph()
        const values = [input(graph, 'x', 'float32', [2, 3, 4]), input(graph, 'y', 'float32', [2, 3, 4])]
        const pick = (at: number) => values[at % values.length]!
        for (const { make, a, b, n, scope } of plan) {
          const build = () => make(pick(a), pick(b), n)
          values.push(scope === '' ? build() : graph.within(scope, build))
        }
        graph.output('last', values.at(-1)!)
        picks.forEach((at, i) => {
          graph.output(`out${i}`, pick(at))
        })
        const bytes = toOnnx(graph, { weights: weightsFor(graph) })
        const { graph: copy, weights } = fromOnnx(bytes)
        expect(toOnnx(copy, { weights })).toEqual(bytes)
      },
    ),
    { seed: 42, numRuns: 400 },
  )
})
