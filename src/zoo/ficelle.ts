/**
 * ficelle: a U-shaped network of few calls and few channels, for keypoints of small pictures on a CPU. It is pantin's
 * own and was published nowhere; the name is French for a puppet's string.
 *
 * It is one point of a space of designs (`design.ts`): stem, stages of blocks, and a decoder as in feature pyramid
 * networks (Lin et al. 2017, section 3), where a doubled map and the encoder's, each after a 1x1 convolution, are
 * summed and smoothed by a 3x3. Another design can be given in its place. Why each part is there:
 *
 * - Squares of 2x2 pixels become channels, and one convolution reads them: at full size a map costs most and says least.
 * - Each stage begins with a RepVGG block (Ding et al. 2021), three branches in training that are one 3x3 convolution
 *   afterwards, which halves the map. Halving early leaves 8x8 and 4x4 maps for most of the blocks.
 * - Blocks are inverted residuals (Sandler et al. 2018) with ReLU: of the kinds that were tried they came nearest to a
 *   teacher in as many steps, at a third of the parameters of plain 3x3 convolutions.
 * - At 1/16 a pixel sees 170 pixels, more than the picture: no dilation is needed, and none of its taps is lost.
 * - The decoder goes back to 1/4 and joins the encoder's maps as sums, which convolutions take in; a detector's head
 *   joins that of 1/2. Heatmaps of half the picture's size are enough, for their mean is finer than a pixel.
 * - Widths are multiples of the sixteen channels that ONNX Runtime computes at once.
 *
 * `pantin search` drew a design of this kind, and it was the best of the designs that it tried; ficelle is that design, made smaller
 * by hand until none of ENet, ERFNet, EDANet, ESNet and LEDNet has fewer parameters or multiply-adds. docs/results.md
 * has the figures.
 *
 * As a backbone it joins the encoder's maps itself; a skip that is asked for is used at 1/4 where the design has
 * none.
 */
import type { Value } from '../graph/graph.ts'
import { resize } from '../graph/ops/pool.ts'
import { concat } from '../graph/ops/shape.ts'
import { relu } from '../graph/ops/unary.ts'
import { conv2d, convNorm, convTranspose2d } from '../layers/conv2d.ts'
import { nonBottleneck1d } from '../layers/erfnet.ts'
import { joinSkip, type Skip } from '../layers/gates.ts'
import { ssNbt } from '../layers/lednet.ts'
import { invertedResidual, mobileOne, partialConv, repVgg } from '../layers/mobilenet.ts'
import type { Scope } from '../layers/scope.ts'
import { type BlockKind, type Decoder, type Design, parseDesign, type Stage, stridesOf } from './design.ts'
import { checkSize, type FeatureMap, type Features, type Net } from './net.ts'

/**
 * Builds a design. Names: `stem.i`, `encoder.i.down`, `encoder.i.blocks.j`, and `decoder.i.up`, `decoder.i.skip`,
 * `decoder.i.blocks.j`.
 *
 * @param net the network's name, for messages
 * @param x [N, C, H, W], H and W multiples of the coarsest stride
 * @param skip how the encoder's map of 1/4 joins where the design itself has no skips
 * @returns the decoder's result, and the encoder's maps that are finer than it
 * @throws InputError if the design contradicts itself, or H or W does not fit.
 */
export function designFeatures(net: string, scope: Scope, x: Value, design: Design, skip: Skip): Features {
  const checked = parseDesign(design)
  checkSize(net, x, stridesOf(checked).coarsest)
  const maps = encode(scope, x, checked)
  const deep = decode(scope, maps, checked.decoder, skip)
  return { deep, shallow: maps.filter(({ stride }) => stride < deep.stride) }
}

/** The last map of each stride, finest first. */
function encode(scope: Scope, x: Value, design: Design): FeatureMap[] {
  const maps = stem(scope, x, design)
  const { stages } = stridesOf(design)
  design.stages.forEach((options, i) => {
    const value = scope.within(`encoder.${i}`, (inner) => stage(inner, maps.at(-1)!.value, options))
    const map = { value, stride: stages[i]! }
    if (maps.at(-1)!.stride === map.stride) maps.pop()
    maps.push(map)
  })
  return maps
}

function stem(scope: Scope, x: Value, { stem }: Design): FeatureMap[] {
  if (stem.kind === 'space-to-depth') {
    const { side, kernel, width } = stem
    // A kernel of squares is one of their pixels: the same products, without moving any.
    const options = { kernel: kernel * side, stride: side, padding: ((kernel - 1) / 2) * side }
    return [
      { value: scope.within('stem.0', (inner) => relu(convNorm(inner, x, width, options))), stride: side },
    ]
  }
  let value = x
  return stem.widths.map((width, i) => {
    value = scope.within(`stem.${i}`, (inner) =>
      relu(convNorm(inner, value, width, { kernel: 3, stride: 2 })),
    )
    return { value, stride: 2 ** (i + 1) }
  })
}

function stage(scope: Scope, x: Value, { stride, width, block, depth, dilations }: Stage): Value {
  let y = x
  if (stride !== 1 || width !== x.shape[1]) {
    y = scope.within('down', (inner) => repVgg(inner, y, { outputs: width, stride }))
  }
  for (let i = 0; i < depth; i++) {
    const dilation = dilations.length === 0 ? 1 : dilations[i % dilations.length]!
    y = scope.within(`blocks.${i}`, (inner) => blocks[block](inner, y, dilation))
  }
  return y
}

/** Of the inverted residual; MobileNetV2 has 6 at channels that are fewer. */
const expansion = 4

const blocks: Readonly<Record<BlockKind, (scope: Scope, x: Value, dilation: number) => Value>> = {
  'rep-vgg': (scope, x, dilation) => repVgg(scope, x, { dilation }),
  'mobile-one': (scope, x, dilation) => mobileOne(scope, x, { dilation }),
  'partial-conv': (scope, x, dilation) => partialConv(scope, x, { dilation }),
  'non-bottleneck-1d': (scope, x, dilation) => nonBottleneck1d(scope, x, { dilation }),
  'ss-nbt': (scope, x, dilation) => ssNbt(scope, x, { dilation }),
  'inverted-residual': (scope, x) => invertedResidual(scope, x, { expansion, activation: 'relu' }),
}

/** Each level doubles the map, joins the encoder's, and runs blocks. */
function decode(scope: Scope, maps: readonly FeatureMap[], decoder: Decoder, skip: Skip): FeatureMap {
  let { value, stride } = maps.at(-1)!
  decoder.widths.forEach((width, i) => {
    stride /= 2
    const side = maps.find((map) => map.stride === stride)?.value
    const own = decoder.skips === 'none' && stride === 4 ? skip : decoder.skips
    value = scope.within(`decoder.${i}`, (inner) => {
      const wide = doubled(inner.child('up'), value, width, decoder.upsampling)
      let y = side === undefined ? wide : joined(inner, wide, side, own)
      for (let j = 0; j < decoder.depth; j++) y = repVgg(inner.child(`blocks.${j}`), y, { outputs: width })
      return y
    })
  })
  return { value, stride }
}

/**
 * Linear: the convolutions that follow have norms and ReLUs. The 1x1 comes first, where it costs a quarter; one to
 * four times the channels, put as sub-pixels, is a transposed 2x2 convolution of stride 2.
 */
function doubled(scope: Scope, x: Value, width: number, upsampling: Decoder['upsampling']): Value {
  if (upsampling === 'sub-pixel')
    return convTranspose2d(scope, x, width, { kernel: 2, stride: 2, bias: false })
  const [h, w] = x.shape.slice(2) as [number, number]
  return resize(conv2d(scope, x, width, { kernel: 1, bias: false }), [2 * h, 2 * w], 'nearest')
}

const joined = (scope: Scope, x: Value, side: Value, skip: Skip | 'concat'): Value =>
  skip === 'concat' ? concat([x, side], 1) : joinSkip(scope, x, side, skip)

/** Its own design. */
export const ficelleDesign: Design = {
  stem: { kind: 'space-to-depth', side: 2, kernel: 3, width: 32 },
  stages: [
    { stride: 2, width: 32, block: 'inverted-residual', depth: 1, dilations: [] },
    { stride: 2, width: 48, block: 'inverted-residual', depth: 2, dilations: [] },
    { stride: 2, width: 80, block: 'inverted-residual', depth: 2, dilations: [] },
  ],
  decoder: { widths: [48, 32], depth: 1, upsampling: 'nearest', skips: 'sum' },
}

const strideOf = (design: Design = ficelleDesign) => stridesOf(design).coarsest

export const ficelle: Net<Design> = {
  name: 'ficelle',
  title: 'ficelle',
  paper: {
    title:
      'MobileNetV2: Inverted Residuals and Linear Bottlenecks (for its blocks; the network is pantin’s own)',
    authors: 'Sandler, Howard, Zhu, Zhmoginov, Chen',
    url: 'https://arxiv.org/abs/1801.04381',
  },
  year: 2018,
  options: { key: 'design', default: ficelleDesign, parse: parseDesign },
  skips: 'maps',
  outputStride: strideOf,
  multiple: strideOf,
  build(scope, x, { outputs, options = ficelleDesign }) {
    const { deep } = designFeatures('ficelle', scope, x, options, 'none')
    const [h, w] = x.shape.slice(2) as [number, number]
    return resize(
      scope.within('head', (inner) => conv2d(inner, deep.value, outputs, { kernel: 1 })),
      [h, w],
      'bilinear',
    )
  },
  features: (scope, x, { skip, options = ficelleDesign }) =>
    designFeatures('ficelle', scope, x, options, skip),
}
