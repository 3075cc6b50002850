// The configuration of a published motion model, derived from the shapes of its weights: checkpoints have none.
// What shapes do not show (temperature, variance of keypoints) is as published.
import type { Shape } from '../graph/tensor.ts'
import { antiAliasKernel } from '../layers/fomm.ts'
import { type MotionConfig, publishedConfig } from '../motion/config.ts'
import { FormatError } from '../util/errors.ts'
import type { HourglassSize } from '../zoo/hourglass.ts'

/** Shapes of the weights of one part by name, without the prefix of the part. */
export type Shapes = ReadonlyMap<string, Shape>

/** The configuration of a motion model. @throws FormatError for a variant that is not supported. */
export function fommConfig(
  parts: { readonly detector: Shapes | undefined; readonly generator: Shapes | undefined },
  { size, file }: { readonly size: number; readonly file: string },
): MotionConfig {
  const { detector, generator } = parts
  const config: MotionConfig = { ...publishedConfig, size, ...keypointsOf(detector, generator, file) }
  return {
    ...config,
    detector: detector === undefined ? config.detector : detectorOf(detector, file),
    ...(generator && {
      denseMotion: denseMotionOf(generator, file),
      generator: generatorOf(generator),
    }),
  }
}

function keypointsOf(detector: Shapes | undefined, generator: Shapes | undefined, file: string) {
  const fromDetector = detector?.get('kp.weight')?.[0]
  const fromGenerator = generator?.get(`${dense}.mask.weight`)?.[0]
  const keypoints = fromDetector ?? (fromGenerator ?? 11) - 1
  const maps = detector?.get('jacobian.weight')?.[0]
  if (maps !== undefined && maps !== 4 * keypoints) {
    throw new FormatError({
      what: 'the detector has one jacobian for all keypoints, which is not supported',
      where: file,
      got: `${maps} maps`,
      expected: `${4 * keypoints}: four for each of ${keypoints} keypoints`,
    })
  }
  return { keypoints, jacobian: detector === undefined || maps !== undefined }
}

function detectorOf(shapes: Shapes, file: string): MotionConfig['detector'] {
  return {
    ...publishedConfig.detector,
    scaleFactor: scaleOf(shapes.get('down.weight'), file),
    hourglass: hourglassOf(shapes, 'predictor'),
  }
}

const dense = 'dense_motion_network'

function denseMotionOf(shapes: Shapes, file: string): MotionConfig['denseMotion'] {
  return {
    ...publishedConfig.denseMotion,
    ...hourglassOf(shapes, `${dense}.hourglass`),
    scaleFactor: scaleOf(shapes.get(`${dense}.down.weight`), file),
    kernel: shapes.get(`${dense}.mask.weight`)?.[2] ?? publishedConfig.denseMotion.kernel,
    occlusion: shapes.has(`${dense}.occlusion.weight`),
  }
}

function generatorOf(shapes: Shapes): MotionConfig['generator'] {
  const blockExpansion = shapes.get('first.conv.weight')?.[0] ?? 0
  const downBlocks = countOf(shapes, (i) => `down_blocks.${i}.conv.weight`)
  return {
    ...publishedConfig.generator,
    blockExpansion,
    downBlocks,
    maxFeatures: widest(shapes, downBlocks, (i) => `down_blocks.${i}.conv.weight`, blockExpansion),
    bottleneckBlocks: countOf(shapes, (i) => `bottleneck.r${i}.conv1.weight`),
    kernel: shapes.get('first.conv.weight')?.[2] ?? 7,
  }
}

function hourglassOf(shapes: Shapes, prefix: string): HourglassSize {
  const down = (i: number) => `${prefix}.encoder.down_blocks.${i}.conv.weight`
  const blocks = countOf(shapes, down)
  const blockExpansion = shapes.get(`${prefix}.decoder.up_blocks.${blocks - 1}.conv.weight`)?.[0] ?? 0
  return { blockExpansion, blocks, maxFeatures: widest(shapes, blocks, down, blockExpansion) }
}

/** The limit on channels: no block of the file is wider, and those that reach it were limited by it. */
function widest(shapes: Shapes, blocks: number, name: (i: number) => string, least: number): number {
  return Math.max(least, ...Array.from({ length: blocks }, (_, i) => shapes.get(name(i))?.[0] ?? 0))
}

function countOf(shapes: Shapes, name: (i: number) => string): number {
  let count = 0
  while (shapes.has(name(count))) count++
  return count
}

/** The scale whose anti-alias kernel has this size; without a kernel the picture keeps its size. */
function scaleOf(kernel: Shape | undefined, file: string): number {
  if (kernel === undefined) return 1
  const side = kernel[2]
  const known = [2, 3, 4, 5, 6, 8].map((factor) => 1 / factor)
  const scale = known.find((candidate) => antiAliasKernel(candidate).shape[0] === side)
  if (scale !== undefined) return scale
  throw new FormatError({
    what: 'the anti-alias filter has a size that belongs to no known scale',
    where: file,
    got: `${side}x${side}`,
    expected: known.map((candidate) => antiAliasKernel(candidate).shape[0]).join(', '),
  })
}
