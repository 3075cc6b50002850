import type { Value } from '../../graph/graph.ts'
import { expand } from '../../graph/ops/arithmetic.ts'
import { concat, reshape, transpose } from '../../graph/ops/shape.ts'
import { broadcastShape, normalAxis } from '../../graph/ops/support.ts'
import type { Importers, OnnxNode } from './node.ts'
import { largestRank } from './tensors.ts'

/** Ops that change the shape and keep the elements. */

const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1)

function importReshape(node: OnnxNode): Value {
  const x = node.input(0)
  const shape = node.list('shape', 1) ?? node.refuse('Reshape lacks its shape')
  if (shape.filter((n) => n === -1).length > 1) node.refuse('a shape leaves more than one axis open')
  const keepsZero = node.int('allowzero', 0) === 1
  return reshape(
    x,
    shape.map((n, i) => (n === 0 && !keepsZero ? (x.shape[i] ?? 0) : n)),
  )
}

function importFlatten(node: OnnxNode): Value {
  const x = node.input(0)
  const axis = node.int('axis', 1)
  const at = axis === x.shape.length ? axis : normalAxis(axis, x.shape.length)
  return reshape(x, [product(x.shape.slice(0, at)), product(x.shape.slice(at))])
}

function importSqueeze(node: OnnxNode): Value {
  const x = node.input(0)
  const axes = node.list('axes', 1)?.map((axis) => normalAxis(axis, x.shape.length))
  if (axes?.some((axis) => x.shape[axis] !== 1)) node.refuse('only axes of length 1 can be taken away')
  return reshape(
    x,
    x.shape.filter((n, i) => (axes === undefined ? n !== 1 : !axes.includes(i))),
  )
}

function importUnsqueeze(node: OnnxNode): Value {
  const x = node.input(0)
  const axes = node.list('axes', 1) ?? node.refuse('Unsqueeze lacks its axes')
  const rank = x.shape.length + axes.length
  if (rank > largestRank) node.refuse('too many axes', { got: `${rank}`, expected: `at most ${largestRank}` })
  const added = new Set(axes.map((axis) => normalAxis(axis, rank)))
  if (added.size !== axes.length) node.refuse('an axis is added twice')
  const sizes = x.shape.values()
  return reshape(
    x,
    Array.from({ length: rank }, (_, i) => (added.has(i) ? 1 : (sizes.next().value ?? 1))),
  )
}

function importTranspose(node: OnnxNode): Value {
  const x = node.input(0)
  return transpose(x, node.ints('perm') ?? x.shape.map((_, i) => x.shape.length - 1 - i))
}

export const shapes: Importers = {
  Concat: (node) => concat(node.inputs(), node.int('axis', 1)),
  Expand: (node) => {
    const x = node.input(0)
    return expand(x, broadcastShape(x.shape, node.numbers(1) ?? node.refuse('Expand lacks its shape')))
  },
  Flatten: importFlatten,
  Reshape: importReshape,
  Squeeze: importSqueeze,
  Transpose: importTranspose,
  Unsqueeze: importUnsqueeze,
}
