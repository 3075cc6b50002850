// Convolutions along one axis, the pair of them that stands for a square kernel, and what is made of such pairs: the module
// of EDANet (Lo et al. 2018), and that of LRDNet (Zhuang et al. 2021).
import type { Value } from '../graph/graph.ts'
import { add } from '../graph/ops/arithmetic.ts'
import { concat } from '../graph/ops/shape.ts'
import { relu } from '../graph/ops/unary.ts'
import { batchNorm2d, conv2d, depthwise, pointwise, residualGain } from './conv2d.ts'
import type { Block, Scope } from './scope.ts'

/** Options of `columnConv` and `rowConv`. */
export interface LineConvOptions {
  /** Length of the kernel: odd. */
  readonly length: number
  /** Step along the line (default 1). */
  readonly stride?: number
  /** Distance between the elements of the kernel (default 1). */
  readonly dilation?: number
  /** Channels of the result (default: as many as there are). */
  readonly outputs?: number
}

/** Convolution along columns, length x 1: stride and dilation act on the height only. [N, C, H, W]. */
export function columnConv(scope: Scope, x: Value, options: LineConvOptions): Value {
  const { length, stride = 1, dilation = 1, outputs = x.shape[1]! } = options
  return conv2d(scope, x, outputs, { kernel: [length, 1], stride: [stride, 1], dilation: [dilation, 1] })
}

/** Convolution along rows, 1 x length: stride and dilation act on the width only. [N, C, H, W]. */
export function rowConv(scope: Scope, x: Value, options: LineConvOptions): Value {
  const { length, stride = 1, dilation = 1, outputs = x.shape[1]! } = options
  return conv2d(scope, x, outputs, { kernel: [1, length], stride: [1, stride], dilation: [1, dilation] })
}

/** Options of `asymmetricConv`. */
export interface AsymmetricConvOptions extends LineConvOptions {
  /** Of the two in checkpoints (default: column, row). */
  readonly names?: readonly [string | number, string | number]
}

/**
 * Asymmetric convolution (Szegedy et al. 2016, Inception-v3, section 3.2; Jin et al. 2015, Flattened
 * Networks): a square kernel of n x n as a column of n x 1, then a row of 1 x n. Two lines have 2 n weights
 * for the square's n², so a third less at n = 3 and five sevenths less at n = 7, and see the same pixels. The
 * price is that everything passes through the D channels between the two.
 *
 * ```
 * x ── n x 1 ── 1 x n ──
 * ```
 *
 * ERFNet's and LEDNet's blocks put a ReLU between the two, which makes of the pair a deeper network than the
 * square; EDANet's, ENet's and the attention pyramid's have none there.
 *
 * Parameters, from C to D channels: n C D + n D² + 2 D; 2 n C² + 2 C at one width. Multiply-adds at stride 1:
 * (n C D + n D²) H W; 2 n C² H W at one width. At stride 2 the column's result is H / 2 x W and the row's
 * H / 2 x W / 2: (n C D / 2 + n D² / 4) H W.
 *
 * @param x [N, C, H, W]
 * @returns [N, outputs, H / stride, W / stride], rounded up
 */
export function asymmetricConv(scope: Scope, x: Value, options: AsymmetricConvOptions): Value {
  const { names = ['column', 'row'], outputs = x.shape[1]!, ...line } = options
  const column = columnConv(scope.child(names[0]), x, { ...line, outputs })
  return rowConv(scope.child(names[1]), column, line)
}

export const asymmetricConvBlock: Block = {
  name: 'asymmetric-convolution',
  title: 'Asymmetric convolution',
  examples: [
    {
      label: '64 channels, kernels of 3',
      input: [1, 64, 16, 16],
      build: (scope, x) => asymmetricConv(scope, x, { length: 3 }),
      cost: { params: 6 * 64 ** 2 + 2 * 64, macs: 6 * 64 ** 2 * 16 * 16 },
    },
    {
      label: '128 channels to 1, kernels of 7, stride 2',
      input: [1, 128, 8, 8],
      build: (scope, x) => asymmetricConv(scope, x, { length: 7, stride: 2, outputs: 1 }),
      cost: { params: 7 * 128 + 7 + 2, macs: ((7 * 128) / 2 + 7 / 4) * 8 * 8 },
    },
  ],
}

/** Options of `edaModule`. */
export interface EdaModuleOptions {
  /** Of the second pair of convolutions. */
  readonly dilation: number
  /** k, the channels that the module adds (default 40, as published). */
  readonly growth?: number
}

/**
 * EDA module (Lo et al. 2018, EDANet): efficient dense module of asymmetric convolution. A 1x1
 * convolution squeezes all that came before to k channels, two asymmetric convolutions work on those, and
 * what they make stands in front of the input. So each module reads the results of all before it, as in
 * DenseNet, and a row of modules costs little: only the 1x1 grows.
 *
 * ```
 * x ── 1x1 to k ─ norm ─ ReLU ── 3x1 ─ 1x3 ─ norm ─ ReLU ── 3x1 dilated ─ 1x3 dilated ─ norm ─ ReLU ── join
 * └────────────────────────────────────────────────────────────────────────────────────────────────────┘
 * ```
 *
 * Parameters: C k + 12 k² + 11 k. Multiply-adds: (C k + 12 k²) H W. Without the reference's dropout.
 *
 * @param x [N, C, H, W]
 * @returns [N, k + C, H, W], the new channels first
 */
export function edaModule(scope: Scope, x: Value, { dilation, growth = 40 }: EdaModuleOptions): Value {
  let y = conv2d(scope.child('conv1x1'), x, growth, { kernel: 1 })
  y = relu(batchNorm2d(scope.child('bn0'), y))
  y = asymmetricConv(scope, y, { length: 3, names: ['conv3x1_1', 'conv1x3_1'] })
  y = relu(batchNorm2d(scope.child('bn1'), y))
  y = asymmetricConv(scope, y, { length: 3, dilation, names: ['conv3x1_2', 'conv1x3_2'] })
  y = relu(batchNorm2d(scope.child('bn2'), y))
  return concat([y, x], 1)
}

export const edaModuleBlock: Block = {
  name: 'eda-module',
  title: 'EDA module',
  examples: [
    {
      label: '60 channels, dilation 1',
      input: [1, 60, 16, 16],
      build: (scope, x) => edaModule(scope, x, { dilation: 1 }),
      cost: { params: 60 * 40 + 12 * 40 ** 2 + 11 * 40, macs: (60 * 40 + 12 * 40 ** 2) * 16 * 16 },
    },
    {
      label: '410 channels, dilation 4',
      input: [1, 410, 8, 8],
      build: (scope, x) => edaModule(scope, x, { dilation: 4 }),
      cost: { params: 410 * 40 + 12 * 40 ** 2 + 11 * 40, macs: (410 * 40 + 12 * 40 ** 2) * 8 * 8 },
    },
  ],
}

/** Of LRDNet's norms. */
const epsilon = 1e-3

/**
 * Residual asymmetric module (Zhuang et al. 2021, LRDNet's encoder). The paper's abstract says that it is
 * residual and asymmetric and combines factorised with depthwise convolution; the order and the widths are
 * inferred. A dense pair of a column and a row mixes half as many channels, a depthwise dilated pair looks
 * further around at next to no cost, and a 1x1 goes back to all channels.
 *
 * ```
 * x ── 3 x 1 to C/2 ─ ReLU ─ 1 x 3 ─ norm ─ ReLU ─┐
 * │  ┌──────────────────────────────────────────────┘
 * │  └─ depthwise 3 x 1 ─ depthwise 1 x 3, both dilated ─ norm ─ ReLU ── 1 x 1 to C ─ norm ── + ─ ReLU
 * └───────────────────────────────────────────────────────────────────────────────────────────┘
 * ```
 *
 * Parameters: 2.75 C² + 7.5 C. Multiply-adds: (2.75 C² + 3 C) H W.
 *
 * @param x [N, C, H, W], C even
 * @param options `dilation` of the depthwise pair (default 1)
 * @returns the same shape
 */
export function residualAsymmetric(
  scope: Scope,
  x: Value,
  { dilation = 1 }: { readonly dilation?: number } = {},
): Value {
  const channels = x.shape[1]!
  const inner = channels / 2
  let y = relu(conv2d(scope.child('conv3x1'), x, inner, { kernel: [3, 1] }))
  y = conv2d(scope.child('conv1x3'), y, inner, { kernel: [1, 3], bias: false })
  y = relu(batchNorm2d(scope.child('norm1'), y, { epsilon }))
  y = depthwise(scope.child('depthwise3x1'), y, { kernel: [3, 1], dilation: [dilation, 1] })
  y = depthwise(scope.child('depthwise1x3'), y, { kernel: [1, 3], dilation: [1, dilation] })
  y = relu(batchNorm2d(scope.child('norm2'), y, { epsilon }))
  y = pointwise(scope.child('expand'), y, channels)
  y = batchNorm2d(scope.child('norm3'), y, { epsilon, gain: residualGain })
  return relu(add(y, x))
}

export const residualAsymmetricBlock: Block = {
  name: 'residual-asymmetric',
  title: 'Residual asymmetric module',
  examples: [
    {
      label: '128 channels, dilation 2',
      input: [1, 128, 8, 8],
      build: (scope, x) => residualAsymmetric(scope, x, { dilation: 2 }),
      cost: { params: 2.75 * 128 ** 2 + 7.5 * 128, macs: (2.75 * 128 ** 2 + 3 * 128) * 8 * 8 },
    },
  ],
}
