// Importers of ops that hold, cut and move elements without computing.

import type { Value } from '../../graph/graph.ts'
import { add, expand, scalarOf } from '../../graph/ops/arithmetic.ts'
import { cast } from '../../graph/ops/compare.ts'
import { gather, gatherRows, scatterAdd } from '../../graph/ops/gather.ts'
import { constant } from '../../graph/ops/leaf.ts'
import { concat, pad, reshape, reverse, slice, sliceAxis, split, transpose } from '../../graph/ops/shape.ts'
import { broadcastShape, normalAxis } from '../../graph/ops/support.ts'
import { floats, ints, scalar, type Tensor } from '../../graph/tensor.ts'
import { dtypeOf, onnxTypeName } from '../emitter.ts'
import { largestRank } from './inputs.ts'
import type { Importers, OnnxNode, Stored } from './node.ts'

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

function importSlice(node: OnnxNode): Value {
  const x = node.input(0)
  const from = node.list('starts', 1) ?? node.refuse('Slice lacks its starts')
  const to = node.list('ends', 2) ?? node.refuse('Slice lacks its ends')
  const axes = node.list('axes', 3) ?? from.map((_, i) => i)
  const by = node.numbers(4) ?? from.map(() => 1)
  if ([to, axes, by].some((list) => list.length !== from.length))
    node.refuse('the lists of a Slice differ in length')
  const starts = x.shape.map(() => 0)
  const ends = [...x.shape]
  const steps = x.shape.map(() => 1)
  const turned: number[] = []
  axes.forEach((given, i) => {
    const axis = normalAxis(given, x.shape.length)
    const n = x.shape[axis]!
    if (by[i] === -1 && (from[i]! === -1 || from[i]! >= n - 1) && to[i]! < -n) {
      turned.push(axis)
      return
    }
    // Negative places count from the end; places beyond an end stand for it.
    const place = (at: number) => Math.min(Math.max(at < 0 ? at + n : at, 0), n)
    starts[axis] = place(from[i]!)
    ends[axis] = place(to[i]!)
    steps[axis] = by[i]!
  })
  return reverse(slice(x, starts, ends, steps), turned)
}

function importSplit(node: OnnxNode): readonly Value[] {
  const x = node.input(0)
  const axis = normalAxis(node.int('axis', 0), x.shape.length)
  const n = x.shape[axis]!
  const even = Math.ceil(n / node.outputs)
  const lengths =
    node.list('split', 1) ?? Array.from({ length: node.outputs }, (_, i) => Math.min(even, n - i * even))
  if (lengths.length !== node.outputs || lengths.reduce((a, b) => a + b, 0) !== n) {
    node.refuse('a Split does not add up to its input', {
      got: `${lengths.length} pieces of ${lengths.slice(0, 16).join(', ')}`,
      expected: `${node.outputs} pieces, ${n} elements in all`,
    })
  }
  return split(x, axis, lengths)
}

function importPad(node: OnnxNode): Value {
  const mode = node.text('mode', 'constant')
  if (mode !== 'constant') node.refuse('only padding with a constant is known', { got: mode })
  const x = node.input(0)
  const rank = x.shape.length
  const pads = node.list('pads', 1) ?? node.refuse('Pad lacks its counts')
  const axes = node.numbers(3)?.map((axis) => normalAxis(axis, rank)) ?? x.shape.map((_, i) => i)
  if (pads.length !== 2 * axes.length)
    node.refuse('a Pad has two counts for each axis', { got: `${pads.length} counts` })
  const before = x.shape.map(() => 0)
  const after = x.shape.map(() => 0)
  axes.forEach((axis, i) => {
    before[axis] = pads[i]!
    after[axis] = pads[axes.length + i]!
  })
  return pad(x, before, after, node.number(2) ?? node.float('value', 0))
}

/** ONNX's Gather takes whole slices: here at places that are known. */
function importGather(node: OnnxNode): Value {
  const x = node.input(0)
  const axis = normalAxis(node.int('axis', 0), x.shape.length)
  const places = node.numbers(1) ?? node.refuse('Gather lacks its indices')
  const rank = node.known(1)!.shape.length
  if (rank > 1 || places.length === 0) node.refuse('only a Gather at one place or a list of places is known')
  const slices = places.map((place) => {
    const at = normalAxis(place, x.shape[axis]!)
    return sliceAxis(x, axis, at, at + 1)
  })
  const joined = concat(slices, axis)
  return rank === 1 ? joined : reshape(joined, x.shape.toSpliced(axis, 1))
}

/** ONNX's GatherND takes anything anywhere: here whole rows of each matrix. */
function importGatherRows(node: OnnxNode): Value {
  const [x, index] = [node.input(0), node.input(1)]
  const fits = x.shape.length === 3 && index.shape.length === 3 && index.shape[2] === 1
  if (!fits || node.int('batch_dims', 0) !== 1) node.refuse('only a GatherND of rows of matrices is known')
  return gatherRows(x, reshape(index, index.shape.slice(0, 2)))
}

function importScatter(node: OnnxNode): Value {
  const reduction = node.text('reduction', 'none')
  if (reduction !== 'add') node.refuse('only a scatter that adds is known', { got: reduction })
  const data = node.input(0)
  const axis = normalAxis(node.int('axis', 0), data.shape.length)
  const sums = scatterAdd(node.input(1), node.input(2), axis, data.shape[axis]!)
  const zero = data.node.op.name === 'expand' ? data.node.inputs[0]! : data
  return scalarOf(zero) === 0 ? sums : add(data, sums)
}

export const cuts: Importers = {
  Gather: importGather,
  GatherND: importGatherRows,
  GatherElements: (node) => gather(node.input(0), node.input(1), node.int('axis', 0)),
  Pad: importPad,
  ScatterElements: importScatter,
  Slice: importSlice,
  Split: importSplit,
}

function importConstant(node: OnnxNode): Stored {
  const list = node.floats('value_floats')
  const whole = node.ints('value_ints')
  const stored =
    node.tensor('value') ??
    (list && floats(list)) ??
    (whole && safeInts(node, whole)) ??
    (node.hasAttribute('value_float') ? scalar(node.float('value_float', 0)) : undefined) ??
    (node.hasAttribute('value_int') ? safeInts(node, [node.int('value_int', 0)], []) : undefined) ??
    node.refuse('a constant has no numbers')
  return { stored }
}

function safeInts(node: OnnxNode, values: readonly number[], shape?: readonly number[]): Tensor<'int64'> {
  if (!values.every(Number.isSafeInteger)) node.refuse('a whole number is out of bounds')
  return ints(values, shape)
}

/** Stretched from one element, so that no memory is spent on it here. */
function importConstantOfShape(node: OnnxNode): Value {
  const value = node.tensor('value') ?? scalar(0)
  if (value.data.length !== 1) node.refuse('ConstantOfShape repeats one element')
  const shape = node.numbers(0) ?? node.refuse('ConstantOfShape lacks its shape')
  return expand(constant(node.graph, { ...value, shape: [] }), shape)
}

function importCast(node: OnnxNode): Value {
  const to = node.int('to', 0)
  const dtype = dtypeOf(to)
  if (dtype === undefined) {
    return node.refuse('a cast to a type that pantin does not carry', { got: onnxTypeName(to) })
  }
  return cast(node.input(0), dtype)
}

export const leaves: Importers = {
  Cast: importCast,
  Constant: importConstant,
  ConstantOfShape: importConstantOfShape,
  // Without training, nothing is dropped.
  Dropout: (node) => node.entry(0),
  Identity: (node) => node.entry(0),
  Shape: (node) => ({ stored: ints(node.input(0).shape) }),
}
