// Imports checkpoints of the First Order Motion Model: the detector, the generator, or both in one file. Checkpoints
// have no configuration: it is derived from the shapes of the weights. What shapes do not show (temperature, variance
// of keypoints) is as published.
import type { Graph } from '../graph/graph.ts'
import { parametersOf } from '../graph/ops/leaf.ts'
import type { Shape, Tensor } from '../graph/tensor.ts'
import { antiAliasKernel } from '../layers/fomm.ts'
import { type MotionConfig, motionConfigSchema, publishedConfig } from '../motion/config.ts'
import { detectorGraph, generatorGraph } from '../motion/model.ts'
import { FormatError, InputError } from '../util/errors.ts'
import type { HourglassSize } from '../zoo/hourglass.ts'
import {
  type CheckpointFile,
  type CheckpointTensor,
  comparePlaces,
  isPlace,
  matchUnder,
  placeName,
  type StateDict,
} from './checkpoint.ts'
import { notThere, readFinite, whereFrom } from './import-network.ts'

/** The parts of a motion model. */
export const motionParts = ['detector', 'generator'] as const
/** A part of a motion model. */
export type MotionPart = (typeof motionParts)[number]

/** A part of a motion model, found in a file. */
interface Found {
  readonly path: string
  /** The beginning of its names in the file. */
  readonly prefix: string
  readonly state: StateDict
  /** A tensor that only this place has. */
  readonly first: CheckpointTensor
}

/** A motion model that was read from a checkpoint. */
export interface FommImport {
  readonly config: MotionConfig
  readonly parts: readonly MotionPart[]
  readonly weights: ReadonlyMap<string, Tensor>
  readonly from: string
  readonly taken: number
  readonly ignored: readonly string[]
  /** Other places in the file with such parts. */
  readonly others: readonly string[]
}

/** Names that only this part has. */
const signs: Readonly<Record<MotionPart, readonly string[]>> = {
  detector: ['kp.weight', 'predictor.encoder.down_blocks.0.conv.weight'],
  generator: ['first.conv.weight', 'dense_motion_network.mask.weight'],
}

/** The beginning of a part's parameter names in pantin. */
const ours: Readonly<Record<MotionPart, string>> = { detector: 'kp_detector.', generator: 'generator.' }

const graphs: Readonly<Record<MotionPart, (config: MotionConfig) => Graph>> = {
  detector: detectorGraph,
  generator: generatorGraph,
}

/** Whether a file holds parts of a motion model. */
export const isFomm = (checkpoint: CheckpointFile): boolean =>
  motionParts.some((part) => find(checkpoint, part).length > 0)

/**
 * Takes a motion model, or the one part that is there, from a checkpoint with the published names.
 *
 * @param size side in pixels of the frames that the model is for; the weights do not tell.
 * @throws InputError if parameters are missing, FormatError for a variant that is not supported or numbers that
 * are not finite.
 */
export async function importFomm(
  checkpoint: CheckpointFile,
  {
    file,
    size,
    from: place,
    signal,
  }: {
    readonly file: string
    readonly size: number
    readonly from?: string | undefined
    readonly signal?: AbortSignal | undefined
  },
): Promise<FommImport> {
  const all = { detector: find(checkpoint, 'detector'), generator: find(checkpoint, 'generator') }
  const places = Object.values(all).flat()
  if (place !== undefined && !places.some((found) => isAt(place, found)))
    throw notThere(file, place, places.map(nameOf))
  const found = { detector: chosen(all.detector, place), generator: chosen(all.generator, place) }
  const taken = Object.values(found)
  const others = places.filter((other) => !taken.some((one) => one?.first === other.first)).map(nameOf)
  const shapes = (part: Found | undefined) => part && shapesOf(part)
  const config = fommConfig(
    { detector: shapes(found.detector), generator: shapes(found.generator) },
    { size, file },
  )
  assertBuildable(config, file)
  const weights = new Map<string, Tensor>()
  const from: string[] = []
  const ignored: string[] = []
  const parts = motionParts.filter((part) => found[part] !== undefined)
  for (const part of parts) {
    const { path, prefix, state } = found[part]!
    const infos = parametersOf(graphs[part](config))
    const match = matchUnder(path, state, { strip: prefix, prepend: ours[part] }, infos)
    const [lacking] = [...match.missing, ...match.misshapen]
    if (lacking !== undefined) {
      throw new InputError({
        what: `the file is no published ${part}: a parameter is missing or of another shape`,
        where: file,
        got: `no ${lacking.name} of shape [${lacking.shape.join(', ')}]`,
        expected: 'the names and shapes of the First Order Motion Model',
      })
    }
    for (const [name, tensor] of match.found) {
      signal?.throwIfAborted()
      weights.set(name, await readFinite(tensor, name, file))
    }
    from.push(whereFrom(match))
    ignored.push(...match.left.filter((name) => name.startsWith(prefix)))
  }
  return { config, parts, weights, from: from.join(', '), taken: weights.size, ignored, others }
}

/** Refuses shapes that make no model: a file may have tensors without axes, empty ones, or a billion keypoints. */
function assertBuildable(config: MotionConfig, file: string): void {
  const [issue] = motionConfigSchema.safeParse(config).error?.issues ?? []
  if (issue === undefined) return
  throw new FormatError({
    what: 'the shapes of its tensors are those of no motion model',
    where: file,
    got: `${issue.path.join('.')}: ${issue.message}`,
    expected: 'the names and shapes of the First Order Motion Model',
  })
}

/** Every place in a file that has a part, in the order of preference. */
function find({ states }: CheckpointFile, part: MotionPart): Found[] {
  const [first, second] = signs[part] as readonly [string, string]
  const found: Found[] = []
  for (const [path, state] of states) {
    for (const [name, tensor] of state) {
      if (name !== first && !name.endsWith(`.${first}`)) continue
      const prefix = name.slice(0, name.length - first.length)
      if (state.has(prefix + second)) found.push({ path, prefix, state, first: tensor })
    }
  }
  return found.sort((a, b) => comparePlaces(nameOf(a), nameOf(b)))
}

const nameOf = ({ path, prefix }: Found): string => placeName(path, prefix)

const isAt = (place: string, { path, prefix }: Found): boolean => isPlace(place, path, prefix)

/** The place that a user names, or the preferred one. */
function chosen(found: readonly Found[], place: string | undefined): Found | undefined {
  return (place === undefined ? undefined : found.find((one) => isAt(place, one))) ?? found[0]
}

function shapesOf({ prefix, state }: Found): Shapes {
  return new Map(
    Array.from(state)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, { shape }]) => [name.slice(prefix.length), shape]),
  )
}

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

/** The limit on channels: no block of the file is wider, and blocks that reach it were limited by it. */
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
