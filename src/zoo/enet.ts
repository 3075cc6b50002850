/**
 * ENet: bottlenecks a quarter as wide inside, an early halving of the picture, and a small decoder that puts
 * values back to where the encoder's max pools took them from.
 *
 * Paper: A. Paszke, A. Chaurasia, S. Kim, E. Culurciello: ENet: A Deep Neural Network Architecture for
 * Real-Time Semantic Segmentation, 2016, arXiv:1606.02147.
 *
 * Published figures: 0.37 M parameters, 58.3% mIoU on Cityscapes' test set; as recalled, 3.83 G operations and
 * 135 frames a second on a Titan X at 640x360.
 *
 * Two variants, because the reference is not quite the paper's network:
 *
 * - `enet`. Reference: xiaoyufenfei/Efficient-Segmentation-Networks, model/ENet.py (MIT): 357,974 parameters
 *   with 10 outputs, 360,422 with 19. Of these 128 an output belong to `project_layer`, which nothing reads:
 *   they are counted and not built. A block's PReLU is one module with one slope under several names; the last,
 *   `out_prelu`, is the one used here.
 * - `enet-original`: the authors' Torch code, e-lab/ENet-training, train/models (CC BY-NC 4.0; only facts are
 *   from there). Max pools 2x2 instead of 3x3, inner widths a quarter of a block's outputs, a PReLU slope for
 *   each channel, no activation before sums, bias in the middle convolutions, row and column of asymmetric
 *   convolutions without anything between, and a 2x2 convolution at the end instead of 3x3. Counted here:
 *   363,726 parameters with 10 outputs. They have the reference's names where the two agree; no checkpoint has
 *   those names.
 *
 * Deviations: no dropout (2-D dropout of 0.01 and 0.1 before each sum): keypoint training sees every frame once
 * and needs no regulariser. Sizes must be multiples of 8. The last norm of a branch starts at a scale of 0.1
 * where the block adds to its input or to its pooled input: deep residual networks learn sooner so. Where two
 * of the reference's overlapping pool windows have one maximum, only the value that stays gets a gradient;
 * PyTorch gives one to both. As a backbone either can take a skip at 1/4, which neither variant has.
 */
import type { Value } from '../graph/graph.ts'
import { concat } from '../graph/ops/shape.ts'
import { conv2d, convTranspose2d } from '../layers/conv2d.ts'
import { activate, type EnetStyle, enetBottleneck, enetDown, enetUp, norm, pooled } from '../layers/enet.ts'
import { joinSkip, type Skip } from '../layers/gates.ts'
import type { Scope } from '../layers/scope.ts'
import { checkSize, type FeatureMap, type Net, type UnusedParameter } from './net.ts'

type Form = EnetStyle['form']

/** Blocks of the encoder at 1/4, then at 1/8, by their names. */
const quarterBlocks = ['regular1_1', 'regular1_2', 'regular1_3', 'regular1_4']

const section = [
  { kind: 'regular' },
  { kind: 'dilated', dilation: 2 },
  { kind: 'asymmetric', asymmetric: 5 },
  { kind: 'dilated', dilation: 4 },
  { kind: 'regular' },
  { kind: 'dilated', dilation: 8 },
  { kind: 'asymmetric', asymmetric: 5 },
  { kind: 'dilated', dilation: 16 },
] as const

/** The section stands twice; the first time it is counted from 1, after the downsampling. */
const eighthBlocks = [
  ...section.map(({ kind, ...options }, i) => ({ name: `${kind}2_${i + 1}`, kind, options })),
  ...section.map(({ kind, ...options }, i) => ({ name: `${kind}3_${i}`, kind, options })),
]

interface Encoded {
  /** At strides 2, 4 and 8, with 16, 64 and 128 channels. */
  readonly half: Value
  readonly quarter: Value
  readonly eighth: Value
  /** Of the pools to 1/4 and 1/8. */
  readonly toQuarter: Value
  readonly toEighth: Value
}

function encode(scope: Scope, x: Value, form: Form): Encoded {
  const style = { form, activation: 'prelu' } as const
  const half = scope.within('initial_block', (inner) => initialBlock(inner, x, style))
  const down1 = scope.within('downsample1_0', (inner) => enetDown(inner, half, { ...style, outputs: 64 }))
  let quarter = down1.value
  for (const name of quarterBlocks) {
    quarter = scope.within(name, (inner) => enetBottleneck(inner, quarter, style))
  }
  const down2 = scope.within('downsample2_0', (inner) => enetDown(inner, quarter, { ...style, outputs: 128 }))
  let eighth = down2.value
  for (const { name, options } of eighthBlocks) {
    eighth = scope.within(name, (inner) => enetBottleneck(inner, eighth, { ...style, ...options }))
  }
  return { half, quarter, eighth, toQuarter: down1.index, toEighth: down2.index }
}

/** The paper's figure 2a: a convolution of stride 2 to 13 channels beside a max pool of the picture's 3. */
function initialBlock(scope: Scope, x: Value, style: EnetStyle): Value {
  const bias = style.form === 'original'
  const convolved = conv2d(scope.child('main_branch'), x, 16 - x.shape[1]!, { kernel: 3, stride: 2, bias })
  const joined = concat([convolved, pooled(x, style).value], 1)
  return activate(scope, 'out_prelu', norm(scope.child('batch_norm'), joined, style), style)
}

/** The decoder without its last convolution: [N, 16, H / 2, W / 2]. */
function decode(scope: Scope, encoded: Encoded, form: Form, skip: Skip): Value {
  const style = { form, activation: 'relu' } as const
  const regular = (name: string, value: Value) =>
    scope.within(name, (inner) => enetBottleneck(inner, value, style))
  const up = (name: string, value: Value, outputs: number, index: Value) =>
    scope.within(name, (inner) => enetUp(inner, value, { ...style, outputs, index }))
  let y = up('upsample4_0', encoded.eighth, 64, encoded.toEighth)
  y = joinSkip(scope.child('upsample4_0'), y, encoded.quarter, skip)
  y = regular('regular4_2', regular('regular4_1', y))
  return regular('regular5_1', up('upsample5_0', y, 16, encoded.toQuarter))
}

/** What the reference's checkpoints hold besides: the other names of shared slopes, and the idle projection. */
function unusedInReference(outputs: number): UnusedParameter[] {
  const blocks = [
    ...['downsample1_0', ...quarterBlocks, 'downsample2_0'].map((name) => ({ name, kind: 'regular' })),
    ...eighthBlocks,
  ]
  const aliases = blocks.flatMap(({ name, kind }) => {
    const places = ['ext_conv1.2', 'ext_conv2.2', 'ext_conv3.2']
    if (kind === 'asymmetric') places.push('ext_conv2.5')
    return places.map((place) => ({ name: `${name}.${place}.weight`, shape: [1], alias: true }))
  })
  return [...aliases, { name: 'project_layer.weight', shape: [outputs, 128, 1, 1] }]
}

function enetNet(name: string, title: string, licence: string, form: Form): Net {
  const last =
    form === 'reference'
      ? { kernel: 3, stride: 2, padding: 1, outputPadding: 1, bias: false }
      : { kernel: 2, stride: 2 }
  return {
    name,
    title,
    paper: {
      title: 'ENet: A Deep Neural Network Architecture for Real-Time Semantic Segmentation',
      authors: 'Paszke, Chaurasia, Kim, Culurciello',
      url: 'https://arxiv.org/abs/1606.02147',
    },
    year: 2016,
    licence,
    skips: 'pooling indices',
    outputStride: () => 8,
    multiple: () => 8,
    ...(form === 'reference' && { unused: ({ outputs }) => unusedInReference(outputs) }),
    build(scope, x, { outputs }) {
      checkSize(name, x, 8)
      const decoded = decode(scope, encode(scope, x, form), form, 'none')
      return convTranspose2d(scope.child('transposed_conv'), decoded, outputs, last)
    },
    features(scope, x, { skip }) {
      checkSize(name, x, 8)
      const encoded = encode(scope, x, form)
      const deep: FeatureMap = { value: decode(scope, encoded, form, skip), stride: 2 }
      const shallow = [
        { value: encoded.half, stride: 2 },
        { value: encoded.quarter, stride: 4 },
      ]
      return { deep, shallow }
    },
  }
}

export const enet = enetNet('enet', 'ENet', 'MIT', 'reference')

export const enetOriginal = enetNet('enet-original', 'ENet, original form', 'CC BY-NC 4.0', 'original')
