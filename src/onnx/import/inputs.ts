// Which values stand for the inputs of an imported model: values of the graph that are bound to them, or new inputs. The
// tensors that are stored in a model.
import { describeValue, type Graph, type Value } from '../../graph/graph.ts'
import { input } from '../../graph/ops/leaf.ts'
import {
  allocate,
  bytesPerElement,
  type DType,
  formatShape,
  halfToNumber,
  type Shape,
  sizeOf,
  type Tensor,
  tensor,
} from '../../graph/tensor.ts'
import { FormatError, InputError } from '../../util/errors.ts'
import { dtypeOf, onnxTypeName } from '../emitter.ts'
import {
  TensorProto_DataLocation as DataLocation,
  TensorProto_DataType as OnnxType,
  type TensorProto,
  type ValueInfoProto,
} from '../generated/onnx_pb.ts'

/** Axes that a tensor may have, and elements: bounds on what a few bytes can ask for. */
export const largestRank = 16
export const largestSize = 2 ** 31

/** The tensor of an initializer or attribute, copied. @throws FormatError if its parts disagree. */
export function readTensor(proto: TensorProto): Tensor {
  const where = `tensor "${proto.name}"`
  if (proto.dataType === OnnxType.FLOAT16) return readHalves(proto, where)
  const dtype = dtypeOf(proto.dataType)
  if (dtype === undefined) {
    throw new FormatError({
      what: 'a tensor is of a type that pantin does not carry',
      where,
      got: onnxTypeName(proto.dataType),
      expected: 'float, float16, int64, int32, uint8, int8 or bool',
      remedy: 'convert the model to 32-bit floats',
    })
  }
  assertStoredHere(proto, where)
  const shape = readShape(proto.dims, where)
  const values = [proto.floatData, proto.int32Data, proto.int64Data].find((list) => list.length > 0)
  return values === undefined
    ? fromRaw(proto.rawData, dtype, shape, where)
    : fromValues(values, dtype, shape, where)
}

/** Weights in half precision become float32. */
function readHalves(proto: TensorProto, where: string): Tensor {
  assertStoredHere(proto, where)
  const shape = readShape(proto.dims, where)
  const { rawData: raw, int32Data: words } = proto
  const size = sizeOf(shape)
  const count = words.length > 0 ? words.length : raw.length / 2
  if (count !== size) throw wrongSize(where, `${count} elements`, `${size} for float16${formatShape(shape)}`)
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
  const bitsAt = (i: number) => (words.length > 0 ? words[i]! & 0xffff : view.getUint16(2 * i, true))
  return tensor(
    'float32',
    shape,
    Float32Array.from({ length: size }, (_, i) => halfToNumber(bitsAt(i))),
  )
}

/** Sizes of axes from a file. @throws FormatError if they are negative or ask for too much. */
export function readShape(dims: readonly bigint[], where: string): Shape {
  const shape = dims.map(Number)
  if (shape.length <= largestRank && shape.every((axis) => axis >= 0) && sizeOf(shape) <= largestSize)
    return shape
  throw new FormatError({
    what: 'a shape is out of bounds',
    where,
    got: formatShape(shape.slice(0, largestRank + 1)),
    expected: `at most ${largestRank} axes and ${largestSize} elements`,
  })
}

function fromRaw(raw: Uint8Array, dtype: DType, shape: Shape, where: string): Tensor {
  const bytes = sizeOf(shape) * bytesPerElement[dtype]
  if (raw.length !== bytes)
    throw wrongSize(where, `${raw.length} bytes`, `${bytes} for ${dtype}${formatShape(shape)}`)
  const data = allocate(dtype, sizeOf(shape))
  // Copied, for the bytes of a file are not aligned to its elements.
  new Uint8Array(data.buffer).set(raw)
  return tensor(dtype, shape, data)
}

function fromValues(values: readonly (number | bigint)[], dtype: DType, shape: Shape, where: string): Tensor {
  const size = sizeOf(shape)
  const kind = dtype === 'int64' ? 'bigint' : 'number'
  if (values.length !== size || typeof values[0] !== kind) {
    throw wrongSize(where, `${values.length} elements`, `${size} for ${dtype}${formatShape(shape)}`)
  }
  if (dtype === 'int64') return tensor(dtype, shape, BigInt64Array.from(values, BigInt))
  const data = allocate(dtype, size)
  values.forEach((value, i) => {
    data[i] = Number(value)
  })
  return tensor(dtype, shape, data)
}

function wrongSize(where: string, got: string, expected: string): FormatError {
  return new FormatError({
    what: 'a tensor has another amount of data than its shape asks for',
    where,
    got,
    expected,
    remedy: 'fetch or export the file again',
  })
}

/** Refuses a tensor of another file, whose name may be any path of the machine. @throws FormatError */
export function assertStoredHere({ dataLocation, externalData }: TensorProto, where: string): void {
  if (dataLocation !== DataLocation.EXTERNAL && externalData.length === 0) return
  throw new FormatError({
    what: 'a tensor lies in another file',
    where,
    got: externalData.find(({ key }) => key === 'location')?.value ?? 'external data',
    expected: 'a model in one file',
    remedy: inOneFile,
  })
}

/** How a model with tensors in other files becomes one file. */
export const inOneFile =
  'export it again as one file: torch.onnx.export(..., external_data=False), or ' +
  'onnx.save_model(model, path, save_as_external_data=False)'

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
