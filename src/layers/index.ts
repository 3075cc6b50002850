// Blocks to compose networks of: `block(scope, x, options)`, values in and values out. docs/blocks has a page for each.

import { asymmetricConvBlock } from './asymmetric.ts'
import type { Block } from './block.ts'
import { edaModuleBlock } from './edanet.ts'
import { enetBottleneckBlock, enetDownBlock, enetUpBlock } from './enet.ts'
import { downsamplerBlock, nonBottleneck1dBlock, upsamplerBlock } from './erfnet.ts'
import { fcuBlock, pfcuBlock } from './esnet.ts'
import { partialConvBlock } from './fasternet.ts'
import { bilinearUpsamplingBlock } from './fcn.ts'
import { antiAliasBlock, fommDownBlock, fommResidualBlock, fommSameBlock, fommUpBlock } from './fomm.ts'
import { lrseBlock, squeezeExcitationBlock } from './gates.ts'
import { inceptionBlock } from './inception.ts'
import { attentionPyramidBlock, ssNbtBlock } from './lednet.ts'
import { dualAttentionBlock, residualAsymmetricBlock } from './lrdnet.ts'
import { depthwiseSeparableBlock, invertedResidualBlock } from './mobilenet.ts'
import { mobileOneBlock, repVggBlock } from './reparameterised.ts'
import { bottleneckBlock, nonBottleneckBlock } from './resnet.ts'
import { channelShuffleBlock, shuffleUnitV1Block, shuffleUnitV2Block } from './shufflenet.ts'

export {
  type AsymmetricConvOptions,
  asymmetricConv,
  columnConv,
  type LineConvOptions,
  rowConv,
} from './asymmetric.ts'
export type { Block, BlockExample } from './block.ts'
export {
  type Conv2dOptions,
  type ConvTranspose2dOptions,
  conv2d,
  convTranspose2d,
  type Pair,
} from './conv2d.ts'
export { type EdaModuleOptions, edaModule } from './edanet.ts'
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
  type NonBottleneck1dOptions,
  nonBottleneck1d,
  upsampler,
} from './erfnet.ts'
export { fcu, pfcu } from './esnet.ts'
export { type PartialConvOptions, partialConv } from './fasternet.ts'
export { bilinearUpsampling } from './fcn.ts'
export { antiAlias, downBlock, residualBlock, sameBlock, upBlock } from './fomm.ts'
export { joinSkip, lrse, type Skip, squeezeExcitation } from './gates.ts'
export { dilatedInception, type InceptionWidths, inception } from './inception.ts'
export { attentionPyramid, type PyramidForm, ssNbt } from './lednet.ts'
export { dualAttention, residualAsymmetric } from './lrdnet.ts'
export { maxUnpool, type PoolWindows } from './max-unpool.ts'
export {
  type DepthwiseSeparableOptions,
  depthwiseSeparable,
  type InvertedResidualOptions,
  invertedResidual,
} from './mobilenet.ts'
export { batchNorm2d, type PreluOptions, prelu } from './norm.ts'
export { type MobileOneOptions, mobileOne, type RepVggOptions, repVgg } from './reparameterised.ts'
export { bottleneck, nonBottleneck, type ResidualOptions } from './resnet.ts'
export { channelShuffle, type ShuffleUnitV1Options, shuffleUnitV1, shuffleUnitV2 } from './shufflenet.ts'

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
