import type { Value } from '../../graph/graph.ts'
import { add, scalarOf } from '../../graph/ops/arithmetic.ts'
import { gather, scatterAdd } from '../../graph/ops/gather.ts'
import { concat, pad, reshape, reverse, slice, sliceAxis, split } from '../../graph/ops/shape.ts'
import { normalAxis } from '../../graph/ops/support.ts'
import type { Importers, OnnxNode } from './node.ts'

/** Ops that take some of the elements, or put them among others. */

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
  GatherElements: (node) => gather(node.input(0), node.input(1), node.int('axis', 0)),
  Pad: importPad,
  ScatterElements: importScatter,
  Slice: importSlice,
  Split: importSplit,
}
