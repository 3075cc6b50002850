import { expect } from 'vitest'
import { Graph, type Value } from '../../src/graph/graph.ts'
import { mul, reduceSum } from '../../src/graph/ops/arithmetic.ts'
import { gradient } from '../../src/graph/ops/autodiff.ts'
import { constant, input, inputInfo, parameterInfo } from '../../src/graph/ops/leaf.ts'
import { interpret, reachable } from '../../src/graph/rewrite.ts'
import { floats, type Shape, sizeOf } from '../../src/graph/tensor.ts'
import { Random } from '../../src/util/random.ts'

/** Numeric gradients: central differences in float64 on the plain references, with a fixed seed. */

export interface Probe {
  readonly graph: Graph
  readonly loss: Value
  readonly inputs: readonly Value[]
  readonly grads: readonly Value[]
  readonly feeds: readonly Float64Array[]
  /** The loss is the sum of the built value's elements times these. */
  readonly factors: Float32Array
}

export interface ProbeOptions {
  readonly range?: readonly [number, number]
  readonly away?: number
}

/** A graph whose loss is the built value against fixed random numbers, with its gradients, and inputs drawn. */
export function probe(
  shapes: readonly Shape[],
  build: (...inputs: Value[]) => Value,
  { range = [-1, 1], away = 0 }: ProbeOptions = {},
): Probe {
  const random = new Random(1)
  const graph = new Graph()
  const inputs = shapes.map((shape, i) => input(graph, `x${i}`, 'float32', shape))
  const result = build(...inputs)
  const factors = Float32Array.from({ length: sizeOf(result.shape) }, () => random.between(0.5, 1.5))
  const loss = reduceSum(mul(result, constant(graph, floats(factors, result.shape))))
  const grads = gradient(loss, inputs)
  grads.forEach((grad, i) => {
    graph.output(`grad${i}`, grad)
  })
  graph.output('loss', loss)
  const feeds = shapes.map((shape) =>
    Float64Array.from({ length: sizeOf(shape) }, () => {
      const drawn = random.between(...range)
      const moved = Math.abs(drawn) < away ? drawn + Math.sign(drawn || 1) * away : drawn
      return Math.fround(moved)
    }),
  )
  return { graph, loss, inputs, grads, feeds, factors }
}

/** The plain references' values of `values` under the probe's feeds. */
export function computePlain(
  { inputs, feeds }: Probe,
  values: readonly Value[],
  changed: readonly Float64Array[] = feeds,
): Float64Array[] {
  const results = interpret(reachable(values), (leaf) => {
    const at = inputs.findIndex((value) => value.node === leaf)
    if (inputInfo(leaf) !== undefined) return changed[at]
    const parameter = parameterInfo(leaf)
    return parameter && new Float64Array(sizeOf(parameter.shape)).fill(0.5)
  })
  return values.map((value) => results.get(value)!)
}

/**
 * Central differences of the loss to every element of every input.
 *
 * @param instead the elements of the built value for moved inputs, if not those of the graph; see `straightThrough`
 */
export function numericGradients(
  check: Probe,
  step = 1e-5,
  instead?: (inputs: readonly Float64Array[], at: readonly Float64Array[]) => Float64Array,
): Float64Array[] {
  const lossAt = (feeds: readonly Float64Array[]) => {
    if (instead === undefined) return computePlain(check, [check.loss], feeds)[0]![0]!
    return instead(feeds, check.feeds).reduce((sum, value, i) => sum + value * check.factors[i]!, 0)
  }
  return check.feeds.map((feed, which) =>
    feed.map((value, i) => {
      const moved = (by: number) =>
        lossAt(check.feeds.map((other, k) => (k === which ? other.with(i, value + by) : other)))
      return (moved(step) - moved(-step)) / (2 * step)
    }),
  )
}

/** ‖a − b‖ / ‖b‖ over all elements of all arrays; 0 for two empty or all-zero sets. */
export function relativeError(a: readonly ArrayLike<number>[], b: readonly ArrayLike<number>[]): number {
  let difference = 0
  let size = 0
  b.forEach((expected, k) => {
    for (let i = 0; i < expected.length; i++) {
      difference += (a[k]![i]! - expected[i]!) ** 2
      size += expected[i]! ** 2
    }
  })
  if (difference === 0) return 0
  return Math.sqrt(difference / Math.max(size, 1e-30))
}

/** The gradients of a probe are those of its formula, and a gradient that is a tenth too large is told from them. */
export function expectGradients(check: Probe): void {
  const numeric = numericGradients(check)
  const symbolic = computePlain(check, check.grads)
  expect(relativeError(symbolic, numeric)).toBeLessThan(1e-6)
  const wrong = [...symbolic.slice(0, -1), symbolic.at(-1)!.map((x) => 1.1 * x)]
  expect(relativeError(wrong, numeric)).toBeGreaterThan(1e-3)
}
