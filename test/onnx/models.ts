import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import type { OnnxAttribute } from '../../src/graph/op.ts'
import { onnxTypeOf, type Tensor } from '../../src/graph/tensor.ts'
import { attributeProto, bytesOf } from '../../src/onnx/emitter.ts'
import {
  AttributeProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type TensorShapeProtoSchema,
  ValueInfoProtoSchema,
} from '../../src/onnx/generated/onnx_pb.ts'

/** ONNX models as another exporter would write them, for tests of the importers. */

type Attribute = OnnxAttribute | Tensor

export interface Made {
  readonly type: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Readonly<Record<string, Attribute>>
}

/** One node: `node('Conv', ['x', 'w'], ['y'], { pads: [1, 1, 1, 1] })`. */
export function node(
  type: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
): Made {
  return { type, inputs, outputs, attributes }
}

export interface Plan {
  readonly inputs?: Readonly<Record<string, readonly (number | string)[]>>
  readonly tensors?: Readonly<Record<string, Tensor>>
  readonly nodes: readonly Made[]
  readonly outputs?: readonly string[]
  readonly opset?: number
}

const float = 1

/** A model with float inputs; outputs are left without a shape, as some exporters do. */
export function model({ inputs = {}, tensors = {}, nodes, outputs = ['y'], opset = 20 }: Plan): ModelProto {
  return create(ModelProtoSchema, {
    irVersion: 8n,
    opsetImport: [{ domain: '', version: BigInt(opset) }],
    graph: {
      name: 'test',
      input: Object.entries(inputs).map(([name, axes]) => valueInfo(name, { dim: axes.map(dim) })),
      output: outputs.map((name) => valueInfo(name)),
      initializer: Object.entries(tensors).map(([name, value]) => tensorProto(name, value)),
      node: nodes.map((made) => ({
        opType: made.type,
        name: made.outputs[0]!,
        input: [...made.inputs],
        output: [...made.outputs],
        attribute: Object.entries(made.attributes).map(([name, value]) => attribute(name, value)),
      })),
    },
  })
}

export const modelBytes = (plan: Plan) => toBinary(ModelProtoSchema, model(plan))

function valueInfo(name: string, shape?: MessageInitShape<typeof TensorShapeProtoSchema>) {
  const value = { elemType: float, ...(shape && { shape }) }
  return create(ValueInfoProtoSchema, { name, type: { value: { case: 'tensorType', value } } })
}

function dim(axis: number | string) {
  return typeof axis === 'number'
    ? { value: { case: 'dimValue' as const, value: BigInt(axis) } }
    : { value: { case: 'dimParam' as const, value: axis } }
}

export function tensorProto(name: string, value: Tensor) {
  return {
    name,
    dims: value.shape.map(BigInt),
    dataType: onnxTypeOf[value.dtype],
    rawData: bytesOf(value),
  }
}

function attribute(name: string, value: Attribute) {
  if (typeof value === 'object' && 'data' in value) {
    return create(AttributeProtoSchema, { name, type: 4, t: tensorProto('', value) })
  }
  return attributeProto('test', name, value)
}
