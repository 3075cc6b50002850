import { antiAliasBlock } from './anti-alias.ts'
import { asymmetricConvBlock } from './asymmetric.ts'
import { attentionPyramidBlock } from './attention-pyramid.ts'
import { bilinearUpsamplingBlock } from './bilinear-upsampling.ts'
import type { Block } from './block.ts'
import { channelShuffleBlock } from './channel-shuffle.ts'
import { depthwiseSeparableBlock } from './depthwise-separable.ts'
import { downsamplerBlock } from './downsampler.ts'
import { dualAttentionBlock } from './dual-attention.ts'
import { edaModuleBlock } from './eda-module.ts'
import { enetBottleneckBlock } from './enet-bottleneck.ts'
import { enetDownBlock } from './enet-down.ts'
import { enetUpBlock } from './enet-up.ts'
import { fcuBlock } from './fcu.ts'
import { fommDownBlock, fommResidualBlock, fommSameBlock, fommUpBlock } from './fomm-blocks.ts'
import { inceptionBlock } from './inception.ts'
import { invertedResidualBlock } from './inverted-residual.ts'
import { lrseBlock } from './lrse.ts'
import { mobileOneBlock } from './mobile-one.ts'
import { nonBottleneck1dBlock } from './non-bottleneck-1d.ts'
import { partialConvBlock } from './partial-conv.ts'
import { pfcuBlock } from './pfcu.ts'
import { repVggBlock } from './rep-vgg.ts'
import { nonBottleneckBlock } from './residual.ts'
import { residualAsymmetricBlock } from './residual-asymmetric.ts'
import { bottleneckBlock } from './residual-bottleneck.ts'
import { shuffleUnitV1Block } from './shuffle-unit-v1.ts'
import { shuffleUnitV2Block } from './shuffle-unit-v2.ts'
import { squeezeExcitationBlock } from './squeeze-excitation.ts'
import { ssNbtBlock } from './ss-nbt.ts'
import { upsamplerBlock } from './upsampler.ts'

/** Every block that networks are composed of. A block is added by its own file and a line here. */
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
