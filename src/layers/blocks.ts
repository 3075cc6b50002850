import type { Block } from './block.ts'
import { nonBottleneck1dBlock } from './non-bottleneck-1d.ts'
import { upsamplerBlock } from './upsampler.ts'

/** Every block that networks are composed of. A block is added by its own file and a line here. */
export const blocks: readonly Block[] = [nonBottleneck1dBlock, upsamplerBlock]
