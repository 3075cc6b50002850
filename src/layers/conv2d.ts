import type { Value } from '../graph/graph.ts'
import { convTranspose } from '../graph/ops/conv.ts'
import { convolution } from './convolution.ts'
import type { Scope } from './scope.ts'

/** A number for both axes, or [height, width]. */
export type Pair = number | readonly [number, number]

export const pair = (value: Pair): readonly [number, number] =>
  typeof value === 'number' ? [value, value] : value

export interface Conv2dOptions {
  readonly kernel: Pair
  readonly stride?: Pair
  /** Zeros at each side; default: what keeps the size at stride 1 (odd kernels). */
  readonly padding?: Pair
  /** Where it has the default padding, a dilation beyond the map is the scope's to clip. */
  readonly dilation?: Pair
  readonly groups?: number
  readonly bias?: boolean
}

/**
 * 2-D convolution with its own `weight` [outputs, C / groups, kh, kw] and `bias` [outputs], started as
 * PyTorch starts them: uniform in ±1/√fan, fan = C / groups · kh · kw (He et al. 2015 with a = √5).
 *
 * @param x [N, C, H, W]
 * @returns [N, outputs, H', W']
 */
export function conv2d(scope: Scope, x: Value, outputs: number, options: Conv2dOptions): Value {
  const { stride = 1, dilation = 1, groups = 1 } = options
  const kernel = pair(options.kernel)
  const dilations = options.padding === undefined ? dilationsOn(scope, x, kernel, dilation) : pair(dilation)
  const [ph, pw] = pair(options.padding ?? samePadding(kernel, dilations))
  const { weight, bias } = conv2dParameters(scope, x.shape[1]!, outputs, options)
  return convolution(scope, x, weight, bias, {
    strides: pair(stride),
    pads: [ph, pw, ph, pw],
    dilations,
    group: groups,
  })
}

/** The parameters of `conv2d` alone, for those who compute it in another way. */
export function conv2dParameters(
  scope: Scope,
  inputs: number,
  outputs: number,
  { kernel, groups = 1, bias = true }: Pick<Conv2dOptions, 'kernel' | 'groups' | 'bias'>,
): { weight: Value; bias: Value | undefined } {
  const shape = [outputs, inputs / groups, ...pair(kernel)]
  const amount = 1 / Math.sqrt(shape[1]! * shape[2]! * shape[3]!)
  return {
    weight: scope.weight('weight', shape, { kind: 'uniform', amount }),
    bias: bias ? scope.weight('bias', [outputs], { kind: 'uniform', amount }) : undefined,
  }
}

/** An axis along which the kernel has one tap has no dilation. */
function dilationsOn(scope: Scope, x: Value, kernel: readonly [number, number], dilation: Pair) {
  const [dh, dw] = pair(dilation)
  const [height, width] = x.shape.slice(2) as [number, number]
  return [
    kernel[0] > 1 ? scope.dilation('height', dh, height) : 1,
    kernel[1] > 1 ? scope.dilation('width', dw, width) : 1,
  ] as const
}

function samePadding(kernel: readonly [number, number], dilation: readonly [number, number]) {
  return [((kernel[0] - 1) * dilation[0]) >> 1, ((kernel[1] - 1) * dilation[1]) >> 1] as const
}

export interface ConvTranspose2dOptions {
  readonly kernel: Pair
  readonly stride?: Pair
  readonly padding?: Pair
  readonly outputPadding?: Pair
  readonly bias?: boolean
}

/**
 * Transposed 2-D convolution with its own `weight` [C, outputs, kh, kw] and `bias` [outputs], started like
 * conv2d's with fan = outputs · kh · kw.
 */
export function convTranspose2d(
  scope: Scope,
  x: Value,
  outputs: number,
  { kernel, stride = 1, padding = 0, outputPadding = 0, bias = true }: ConvTranspose2dOptions,
): Value {
  const [kh, kw] = pair(kernel)
  const [ph, pw] = pair(padding)
  const amount = 1 / Math.sqrt(outputs * kh * kw)
  const w = scope.weight('weight', [x.shape[1]!, outputs, kh, kw], { kind: 'uniform', amount })
  const b = bias ? scope.weight('bias', [outputs], { kind: 'uniform', amount }) : undefined
  return convTranspose(x, w, b, {
    strides: pair(stride),
    pads: [ph, pw, ph, pw],
    outputPadding: pair(outputPadding),
  })
}
