// Which values stand for the inputs of an imported model: values of the graph that are bound to them, or new inputs.

import { describeValue, type Graph, type Value } from '../../graph/graph.ts'
import { input } from '../../graph/ops/leaf.ts'
import { type DType, formatShape, type Shape } from '../../graph/tensor.ts'
import { FormatError, InputError } from '../../util/errors.ts'
import { dtypeOf, onnxTypeName } from '../format.ts'
import type { ValueInfoProto } from '../generated/onnx_pb.ts'
import { largestRank, readShape } from './tensors.ts'

export interface Bindings {
  /** Values of the target graph that take the place of the model's inputs. */
  readonly inputs?: Readonly<Record<string, Value>>
  /** Shapes of inputs whose batch or size the model leaves open. */
  readonly shapes?: Readonly<Record<string, Shape>>
}

/**
 * The value that stands for each of the model's inputs: a bound one, or a new input of the graph.
 *
 * @param infos the model's inputs, those with a stored value left out.
 * @throws InputError if a binding does not fit, or an open axis is not given.
 */
export function bindInputs(
  graph: Graph,
  infos: readonly ValueInfoProto[],
  bindings: Bindings,
): Map<string, Value> {
  const { inputs = {}, shapes = {} } = bindings
  const names = infos.map((info) => info.name)
  for (const name of [...Object.keys(inputs), ...Object.keys(shapes)]) {
    if (!names.includes(name)) {
      throw new InputError({ what: `the model has no input "${name}"`, expected: names.join(', ') || 'none' })
    }
  }
  const open = new Map<string, number>()
  return new Map(
    infos.map((info) => {
      const declared = declaredType(info)
      const { name } = info
      if (Object.hasOwn(inputs, name)) {
        const value = inputs[name]!
        if (value.dtype !== declared.dtype) throw mismatch(name, declared, describeValue(value), open)
        match(name, declared, value.shape, open)
        return [name, value]
      }
      const shape = Object.hasOwn(shapes, name)
        ? shapes[name]!
        : declared.axes.map((axis) => fixedAxis(name, declared, axis, open))
      match(name, declared, shape, open)
      return [name, input(graph, name, declared.dtype, shape)]
    }),
  )
}

interface Declared {
  readonly dtype: DType
  /** A number, or the name of an open axis ('' where it has none). */
  readonly axes: readonly (number | string)[]
}

function declaredType({ name, type }: ValueInfoProto): Declared {
  const where = `input "${name}"`
  const tensor = type?.value.case === 'tensorType' ? type.value.value : undefined
  const dtype = tensor && dtypeOf(tensor.elemType)
  if (tensor?.shape === undefined || dtype === undefined || tensor.shape.dim.length > largestRank) {
    throw new FormatError({
      what: 'an input is no tensor of a type and rank that pantin carries',
      where,
      got: tensor === undefined ? (type?.value.case ?? 'no type') : onnxTypeName(tensor.elemType),
      expected: 'a tensor of float, int64, int32, uint8 or bool with its axes',
    })
  }
  const axes = tensor.shape.dim.map(({ value }) =>
    value.case === 'dimValue' && value.value > 0n
      ? value.value
      : value.case === 'dimParam'
        ? value.value
        : '',
  )
  readShape(
    axes.filter((axis) => typeof axis === 'bigint'),
    where,
  )
  return { dtype, axes: axes.map((axis) => (typeof axis === 'bigint' ? Number(axis) : axis)) }
}

function fixedAxis(
  name: string,
  declared: Declared,
  axis: number | string,
  open: ReadonlyMap<string, number>,
): number {
  const size = typeof axis === 'number' ? axis : open.get(axis)
  if (size !== undefined) return size
  throw new InputError({
    what: `the model leaves an axis of its input "${name}" open`,
    got: describeDeclared(declared),
    remedy: `give its shape: shapes: { '${name}': [...] }`,
  })
}

/** Checks a shape against a declared one; open axes of one name have one size. */
function match(name: string, declared: Declared, shape: Shape, open: Map<string, number>): void {
  const fits =
    shape.length === declared.axes.length &&
    declared.axes.every((axis, i) => {
      const expected = typeof axis === 'number' ? axis : (open.get(axis) ?? shape[i]!)
      return expected === shape[i]
    })
  if (!fits) throw mismatch(name, declared, formatShape(shape), open)
  declared.axes.forEach((axis, i) => {
    if (typeof axis === 'string' && axis !== '') open.set(axis, shape[i]!)
  })
}

function mismatch(
  name: string,
  declared: Declared,
  got: string,
  open: ReadonlyMap<string, number>,
): InputError {
  return new InputError({
    what: `the value for the model's input "${name}" does not fit`,
    got,
    expected: describeDeclared(declared, open),
  })
}

function describeDeclared({ dtype, axes }: Declared, open: ReadonlyMap<string, number> = new Map()): string {
  const known = (name: string) => (open.has(name) ? `${name} = ${open.get(name)}` : name || '?')
  return `${dtype}[${axes.map((axis) => (typeof axis === 'number' ? axis : known(axis))).join(', ')}]`
}
