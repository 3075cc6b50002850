import { create } from '@bufbuild/protobuf'
import type { OnnxAttribute } from '../graph/op.ts'
import { GraphError } from '../util/errors.ts'
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
} from './generated/onnx_pb.ts'

/** One attribute of an ONNX node. @throws GraphError for a fraction that is not marked as a float. */
export function attributeProto(node: string, name: string, value: OnnxAttribute): AttributeProto {
  const whole = (x: number): bigint => {
    if (Number.isSafeInteger(x)) return BigInt(x)
    throw new GraphError({
      what: `the attribute "${name}" is no whole number`,
      where: node,
      got: String(x),
      remedy: 'write a float attribute as { float: value } in the ONNX form of the op',
    })
  }
  if (typeof value === 'number') {
    return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: whole(value) })
  }
  if (typeof value === 'string') {
    return create(AttributeProtoSchema, { name, type: AttributeType.STRING, s: utf8.encode(value) })
  }
  if ('float' in value) {
    return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.float })
  }
  return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.map(whole) })
}

const utf8 = new TextEncoder()
