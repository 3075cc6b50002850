// A checkpoint: the whole state of a training run in one safetensors file, so that one rename replaces all of it.
// The tensors are weights, optimiser moments and buffers; step, time and random state are metadata.
import type { TensorFile } from '../formats/safetensors/bytes.ts'
import type { Tensor } from '../graph/tensor.ts'
import { FormatError, InputError } from '../util/errors.ts'
import type { RandomState } from '../util/random.ts'
import { checkpointFile, weightsFile } from './run-files.ts'

/** The state of a training run after a step. */
export interface Checkpoint {
  /** Optimiser steps done, 0 and up. */
  readonly step: number
  /** Seconds of training so far, over all processes that trained the run. */
  readonly elapsed: number
  readonly randomState: RandomState
  /** Weights, optimiser moments and buffers by name. */
  readonly tensors: ReadonlyMap<string, Tensor>
  /** More state as text, under the caller's own keys. */
  readonly extra?: ReadonlyMap<string, string>
}

/** Increased when the meaning of a checkpoint changes. */
const format = 1

/** pantin's own metadata keys begin with this; the others are `extra`. */
const prefix = 'pantin.'

/**
 * A checkpoint as a safetensors file holds it.
 *
 * @param path of the file, for messages.
 * @throws InputError for a step or time that is not a number from 0 on, or an `extra` key that begins with
 * `pantin.`.
 */
export function encodeCheckpoint(path: string, checkpoint: Checkpoint): TensorFile {
  const { step, elapsed, randomState, tensors, extra = new Map<string, string>() } = checkpoint
  if (!isStep(step) || !isSeconds(elapsed) || !isState(randomState)) {
    const got = JSON.stringify({ step, elapsed, randomState })
    const expected = 'a whole step, seconds, and four 32-bit words'
    throw new InputError({ what: 'a checkpoint that could not be resumed', where: path, got, expected })
  }
  const clash = [...extra.keys()].find((key) => key.startsWith(prefix))
  if (clash !== undefined) {
    const what = 'an extra key of a checkpoint is reserved'
    throw new InputError({ what, where: path, got: clash, expected: `none that begins with ${prefix}` })
  }
  const state = { format, step, elapsed, randomState: randomState.join(' ') }
  const own = Object.entries(state).map(([key, value]) => [prefix + key, String(value)] as const)
  return { tensors, metadata: new Map([...extra, ...own]) }
}

/**
 * The checkpoint that a safetensors file holds.
 *
 * @param path of the file, for messages.
 * @throws FormatError for a file that is no checkpoint, or one of a newer format.
 */
export function decodeCheckpoint(path: string, { tensors, metadata }: TensorFile): Required<Checkpoint> {
  const field = (key: string) => metadata.get(prefix + key) ?? ''
  const found = toNumber(field('format'))
  if (isStep(found) && found > format) {
    throw new FormatError({
      what: 'this checkpoint was made by a newer pantin',
      where: path,
      got: `format ${found}`,
      expected: `format ${format}`,
      remedy: 'upgrade pantin',
    })
  }
  const step = toNumber(field('step'))
  const elapsed = toNumber(field('elapsed'))
  const randomState = field('randomState').split(' ').map(toNumber)
  if (found !== format || !isStep(step) || !isSeconds(elapsed) || !isState(randomState)) {
    const got = `metadata ${JSON.stringify([...metadata.keys()]).slice(0, 200)}`
    throw notCheckpoint(path, got, 'step, elapsed and randomState of a training run')
  }
  const extra = new Map([...metadata].filter(([key]) => !key.startsWith(prefix)))
  return { step, elapsed, randomState, tensors, extra }
}

/** The error for a file that training cannot go on from. @param path of the file */
export const notCheckpoint = (path: string, got: string, expected: string): FormatError =>
  new FormatError({
    ...{ what: 'not a checkpoint of pantin', where: path, got, expected },
    remedy: 'resume from the last/ folder of a run, or train again',
  })

/**
 * The error for a run without the checkpoint that training would go on from.
 *
 * @param path of the missing file
 * @param hasWeights whether the run has trained weights, which training from the beginning would replace
 */
export const noCheckpoint = (path: string, hasWeights: boolean): InputError =>
  new InputError({
    what: 'this run has no checkpoint to resume from',
    where: path,
    got: hasWeights ? 'trained weights, and no such file' : 'no such file',
    remedy: hasWeights
      ? 'train another run from its weights (--from), or replace this one (--force)'
      : 'train again with --force',
  })

/**
 * Whether a run has a checkpoint to resume from. A run that was stopped before its first checkpoint has none.
 *
 * @param path of the run, for messages.
 * @param has whether the run has a file.
 * @throws InputError if the run has weights without a checkpoint: training from the beginning would replace them.
 */
export async function findCheckpoint(
  path: string,
  has: (file: string) => Promise<boolean>,
): Promise<boolean> {
  if (await has(checkpointFile)) return true
  // Each checkpoint is written before its weights. So it was removed, or a page had no room for it.
  if (await has(weightsFile)) throw noCheckpoint(`${path}/${checkpointFile}`, true)
  return false
}

/** NaN for text that is not a number; Number('') would be 0. */
function toNumber(text: string): number {
  return text.trim() === '' ? Number.NaN : Number(text)
}

function isStep(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function isSeconds(value: number): boolean {
  return Number.isFinite(value) && value >= 0
}

function isState(words: readonly number[]): words is RandomState {
  return (
    words.length === 4 && words.every((word) => Number.isInteger(word) && word >= 0 && word <= 0xffffffff)
  )
}
