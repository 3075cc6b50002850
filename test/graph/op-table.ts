// The table of all ops, by name, which the tests go over.
import type { OpDef } from '../../src/graph/op.ts'
import {
  addOp,
  divOp,
  expandOp,
  mulOp,
  negOp,
  reduceMeanOp,
  reduceSumOp,
  subOp,
} from '../../src/graph/ops/arithmetic.ts'
import {
  argMaxOp,
  castOp,
  greaterOp,
  greaterOrEqualOp,
  maximumOp,
  minimumOp,
  whereOp,
} from '../../src/graph/ops/compare.ts'
import { convOp, convTransposeOp } from '../../src/graph/ops/conv.ts'
import { gatherOp, gatherRowsOp, scatterAddOp, scatterAddRowsOp, takeOp } from '../../src/graph/ops/gather.ts'
import { constantOp, inputOp, parameterOp } from '../../src/graph/ops/leaf.ts'
import { matmulOp } from '../../src/graph/ops/linear.ts'
import { batchNormaliseOp, normaliseOp } from '../../src/graph/ops/normalise.ts'
import { averagePoolOp, maxPoolOp, resizeOp } from '../../src/graph/ops/pool.ts'
import { dequantiseOp, fakeQuantiseOp, quantiseOp } from '../../src/graph/ops/quantise.ts'
import { gridSampleOp, sampleShiftedOp } from '../../src/graph/ops/sampling.ts'
import {
  concatOp,
  padOp,
  reshapeOp,
  reverseOp,
  sliceOp,
  splitOp,
  transposeOp,
} from '../../src/graph/ops/shape.ts'
import {
  absOp,
  expOp,
  floorOp,
  isPositiveOp,
  logOp,
  powOp,
  reluOp,
  sigmoidOp,
  signOp,
  softmaxOp,
  sqrtOp,
  tanhOp,
} from '../../src/graph/ops/unary.ts'

/**
 * Every op there is, by name. A definition that lacks its shape rule, ONNX form, gradient state or reference
 * does not compile, and neither do the tests if an op of this table has no case there.
 */
export const opTable = {
  abs: absOp,
  add: addOp,
  argMax: argMaxOp,
  averagePool: averagePoolOp,
  batchNormalise: batchNormaliseOp,
  cast: castOp,
  concat: concatOp,
  constant: constantOp,
  conv: convOp,
  convTranspose: convTransposeOp,
  dequantise: dequantiseOp,
  div: divOp,
  exp: expOp,
  expand: expandOp,
  fakeQuantise: fakeQuantiseOp,
  floor: floorOp,
  gather: gatherOp,
  gatherRows: gatherRowsOp,
  greater: greaterOp,
  greaterOrEqual: greaterOrEqualOp,
  gridSample: gridSampleOp,
  input: inputOp,
  log: logOp,
  matmul: matmulOp,
  maximum: maximumOp,
  maxPool: maxPoolOp,
  minimum: minimumOp,
  mul: mulOp,
  neg: negOp,
  normalise: normaliseOp,
  pad: padOp,
  parameter: parameterOp,
  pow: powOp,
  quantise: quantiseOp,
  reduceMean: reduceMeanOp,
  reduceSum: reduceSumOp,
  relu: reluOp,
  reshape: reshapeOp,
  resize: resizeOp,
  reverse: reverseOp,
  sampleShifted: sampleShiftedOp,
  scatterAdd: scatterAddOp,
  scatterAddRows: scatterAddRowsOp,
  sigmoid: sigmoidOp,
  sign: signOp,
  isPositive: isPositiveOp,
  slice: sliceOp,
  softmax: softmaxOp,
  split: splitOp,
  sqrt: sqrtOp,
  sub: subOp,
  take: takeOp,
  tanh: tanhOp,
  transpose: transposeOp,
  where: whereOp,
} as const satisfies { readonly [name: string]: OpDef }

/** The name of an op. */
export type OpName = keyof typeof opTable
