// The language that networks, losses and optimisers are written in: functions from values to values. The definition of
// each op is in the file of its family.

export {
  add,
  addAll,
  div,
  expand,
  mul,
  neg,
  type Operand,
  type ReduceOptions,
  reduceMean,
  reduceSum,
  scalarOf,
  sub,
} from './arithmetic.ts'
export { gradient } from './autodiff.ts'
export { argMax, cast, clip, greater, greaterOrEqual, maximum, minimum, where } from './compare.ts'
export { type ConvOptions, type ConvTransposeOptions, conv, convTranspose } from './conv.ts'
export { gather, scatterAdd, take } from './gather.ts'
export {
  constant,
  filled,
  type Initial,
  input,
  like,
  type ParameterInfo,
  parameter,
  type Role,
} from './leaf.ts'
export { matmul } from './linear.ts'
export { batchNormalise, normalise } from './normalise.ts'
export { averagePool, maxPool, type PoolOptions, sumPool } from './pool.ts'
export { type ResizeMode, resize } from './resize.ts'
export { gridSample, type SamplePadding } from './sampling.ts'
export { concat, pad, reshape, reverse, slice, sliceAxis, split, stack, transpose } from './shape.ts'
export { simplify } from './simplify.ts'
export {
  abs,
  exp,
  floor,
  isPositive,
  leakyRelu,
  log,
  pow,
  relu,
  sigmoid,
  sign,
  softmax,
  sqrt,
  square,
  tanh,
} from './unary.ts'
