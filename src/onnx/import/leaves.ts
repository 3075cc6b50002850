import type { Value } from '../../graph/graph.ts'
import { expand } from '../../graph/ops/arithmetic.ts'
import { cast } from '../../graph/ops/compare.ts'
import { constant } from '../../graph/ops/leaf.ts'
import { floats, ints, scalar, type Tensor } from '../../graph/tensor.ts'
import { dtypeOf, onnxTypeName } from '../element-types.ts'
import type { Importers, OnnxNode, Stored } from './node.ts'

/** Constants, casts, and ops that hand their input on. */

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
