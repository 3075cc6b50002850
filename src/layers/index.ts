// Blocks to compose networks of: `block(scope, x, options)`, values in and values out. docs/blocks has a page for each.

import { asymmetricConvBlock, edaModuleBlock, residualAsymmetricBlock } from './asymmetric.ts'
import { enetBottleneckBlock, enetDownBlock, enetUpBlock } from './enet.ts'
import { downsamplerBlock, fcuBlock, nonBottleneck1dBlock, pfcuBlock, upsamplerBlock } from './erfnet.ts'
import { antiAliasBlock, fommDownBlock, fommResidualBlock, fommSameBlock, fommUpBlock } from './fomm.ts'
import { dualAttentionBlock, lrseBlock, squeezeExcitationBlock } from './gates.ts'
import { inceptionBlock } from './inception.ts'
import { attentionPyramidBlock, ssNbtBlock } from './lednet.ts'
import {
  depthwiseSeparableBlock,
  invertedResidualBlock,
  mobileOneBlock,
  partialConvBlock,
  repVggBlock,
} from './mobilenet.ts'
import { bottleneckBlock, nonBottleneckBlock } from './resnet.ts'
import type { Block } from './scope.ts'
import { channelShuffleBlock, shuffleUnitV1Block, shuffleUnitV2Block } from './shufflenet.ts'
import { bilinearUpsamplingBlock } from './upsampling.ts'

export {
  type AsymmetricConvOptions,
  asymmetricConv,
  columnConv,
  type EdaModuleOptions,
  edaModule,
  type LineConvOptions,
  residualAsymmetric,
  rowConv,
} from './asymmetric.ts'
export {
  batchNorm2d,
  type Conv2dOptions,
  type ConvTranspose2dOptions,
  conv2d,
  convTranspose2d,
  type Pair,
  type PreluOptions,
  prelu,
} from './conv2d.ts'
export {
  type EnetBottleneckOptions,
  type EnetDownOptions,
  type EnetStyle,
  type EnetUpOptions,
  enetBottleneck,
  enetDown,
  enetUp,
} from './enet.ts'
export {
  type DownsamplerOptions,
  downsampler,
  fcu,
  type NonBottleneck1dOptions,
  nonBottleneck1d,
  pfcu,
  upsampler,
} from './erfnet.ts'
export { antiAlias, downBlock, residualBlock, sameBlock, upBlock } from './fomm.ts'
export { dualAttention, joinSkip, lrse, type Skip, squeezeExcitation } from './gates.ts'
export { dilatedInception, type InceptionWidths, inception } from './inception.ts'
export { attentionPyramid, type PyramidForm, ssNbt } from './lednet.ts'
export {
  type DepthwiseSeparableOptions,
  depthwiseSeparable,
  type InvertedResidualOptions,
  invertedResidual,
  type MobileOneOptions,
  mobileOne,
  type PartialConvOptions,
  partialConv,
  type RepVggOptions,
  repVgg,
} from './mobilenet.ts'
export { bottleneck, nonBottleneck, type ResidualOptions } from './resnet.ts'
export type { Block, BlockExample } from './scope.ts'
export { channelShuffle, type ShuffleUnitV1Options, shuffleUnitV1, shuffleUnitV2 } from './shufflenet.ts'
export { bilinearUpsampling, maxUnpool, type PoolWindows } from './upsampling.ts'

/** Every block that networks are composed of. A block is added by a function, its entry beside it, and a line here. */
export const blocks: readonly Block[] = [
  nonBottleneck1dBlock,
  enetBottleneckBlock,
  enetDownBlock,
  enetUpBlock,
  upsamplerBlock,
  bilinearUpsamplingBlock,
  nonBottleneckBlock,
  bottleneckBlock,
  depthwiseSeparableBlock,
  dualAttentionBlock,
  inceptionBlock,
  invertedResidualBlock,
  lrseBlock,
  mobileOneBlock,
  partialConvBlock,
  repVggBlock,
  residualAsymmetricBlock,
  shuffleUnitV1Block,
  shuffleUnitV2Block,
  squeezeExcitationBlock,
  antiAliasBlock,
  asymmetricConvBlock,
  attentionPyramidBlock,
  channelShuffleBlock,
  downsamplerBlock,
  edaModuleBlock,
  fcuBlock,
  fommDownBlock,
  fommResidualBlock,
  fommSameBlock,
  fommUpBlock,
  pfcuBlock,
  ssNbtBlock,
]

/**
 * Blocks to compose networks of: `block(scope, x, options)`, values in and values out. docs/blocks has a page
 * for each.
 */
