import type { Value } from '../../graph/graph.ts'
import { type ReduceOptions, reduceMean, reduceSum } from '../../graph/ops/arithmetic.ts'
import { argMax } from '../../graph/ops/compare.ts'
import { reshape } from '../../graph/ops/shape.ts'
import { normalAxis } from '../../graph/ops/support.ts'
import { log, softmax } from '../../graph/ops/unary.ts'
import type { Importer, Importers, OnnxNode } from './node.ts'

/** Ops over whole axes. */

type Reduce = (x: Value, axes: readonly number[] | undefined, options: ReduceOptions) => Value

const reduction =
  (reduce: Reduce): Importer =>
  (node) => {
    const x = node.input(0)
    const axes = node.list('axes', 1)?.map((axis) => normalAxis(axis, x.shape.length))
    if (axes !== undefined && new Set(axes).size !== axes.length) node.refuse('an axis is named twice')
    const all = axes === undefined || axes.length === 0
    if (all && node.int('noop_with_empty_axes', 0) === 1) return x
    return reduce(x, all ? undefined : axes, { keep: node.int('keepdims', 1) === 1 })
  }

function importSoftmax(node: OnnxNode): Value {
  const x = node.input(0)
  const axis = normalAxis(node.int('axis', node.opset < 13 ? 1 : -1), x.shape.length)
  if (node.opset >= 13 || axis === x.shape.length - 1) return softmax(x, axis)
  // Before opset 13, all axes from this one on are one.
  const rows = x.shape.slice(0, axis).reduce((a, b) => a * b, 1)
  return reshape(softmax(reshape(x, [rows, -1]), 1), x.shape)
}

function importArgMax(node: OnnxNode): Value {
  if (node.int('select_last_index', 0) !== 0) node.refuse('an ArgMax that takes the last index is not known')
  const x = node.input(0)
  const axis = normalAxis(node.int('axis', 0), x.shape.length)
  const best = argMax(x, axis)
  return node.int('keepdims', 1) === 1 ? best : reshape(best, x.shape.toSpliced(axis, 1))
}

export const reductions: Importers = {
  ArgMax: importArgMax,
  LogSoftmax: (node) => log(importSoftmax(node)),
  ReduceMean: reduction(reduceMean),
  ReduceSum: reduction(reduceSum),
  Softmax: importSoftmax,
}
