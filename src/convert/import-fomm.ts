// Imports checkpoints of the First Order Motion Model: the detector, the generator, or both in one file.
import type { Graph } from '../graph/graph.ts'
import type { Tensor } from '../graph/tensor.ts'
import { type MotionConfig, motionConfigSchema } from '../motion/config.ts'
import { detectorGraph, generatorGraph } from '../motion/model.ts'
import { parametersOf } from '../motion/weights.ts'
import { FormatError, InputError } from '../util/errors.ts'
import type { CheckpointFile, StateDict } from './checkpoint.ts'
import { fommConfig, type Shapes } from './fomm-config.ts'
import { readFinite, whereFrom } from './import-network.ts'
import { matchUnder } from './match.ts'

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
}

/** A motion model that was read from a checkpoint. */
export interface FommImport {
  readonly config: MotionConfig
  readonly parts: readonly MotionPart[]
  readonly weights: ReadonlyMap<string, Tensor>
  readonly from: string
  readonly taken: number
  readonly ignored: readonly string[]
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
  motionParts.some((part) => find(checkpoint, part) !== undefined)

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
    signal,
  }: { readonly file: string; readonly size: number; readonly signal?: AbortSignal | undefined },
): Promise<FommImport> {
  const found = { detector: find(checkpoint, 'detector'), generator: find(checkpoint, 'generator') }
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
  return { config, parts, weights, from: from.join(', '), taken: weights.size, ignored }
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

function find({ states }: CheckpointFile, part: MotionPart): Found | undefined {
  const [first, second] = signs[part] as readonly [string, string]
  for (const [path, state] of states) {
    for (const name of state.keys()) {
      if (name !== first && !name.endsWith(`.${first}`)) continue
      const prefix = name.slice(0, name.length - first.length)
      if (state.has(prefix + second)) return { path, prefix, state }
    }
  }
  return undefined
}

function shapesOf({ prefix, state }: Found): Shapes {
  return new Map(
    Array.from(state)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, { shape }]) => [name.slice(prefix.length), shape]),
  )
}
