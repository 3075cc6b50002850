// Imports the weights of a plain network from a checkpoint with the names of the published code.
import { hangsOn } from '../formats/torch/parts.ts'
import { initialise } from '../graph/ops/leaf.ts'
import { formatShape, type Shape, type Tensor } from '../graph/tensor.ts'
import { counted, FormatError, InputError } from '../util/errors.ts'
import { Random } from '../util/random.ts'
import { findNet } from '../zoo/registry.ts'
import {
  bestMatch,
  type CheckpointFile,
  type CheckpointTensor,
  type Match,
  placeName,
  type Wanted,
} from './checkpoint.ts'
import { type NetworkConfig, parametersOfNetwork } from './network-folder.ts'

/** The weights of a network that were read from a checkpoint. */
export interface NetworkImport {
  readonly weights: ReadonlyMap<string, Tensor>
  /** Where in the file they were: a path of keys, and the beginning that was removed from the names. */
  readonly from: string
  /** Number of tensors that were taken. */
  readonly taken: number
  /** Parameters that were initialised, because the file has no tensor for them. */
  readonly fresh: readonly string[]
  /** Tensors of the file that are no parameters of the network. */
  readonly ignored: readonly string[]
  /** Other places in the file with such tensors. */
  readonly others: readonly string[]
}

interface NetworkImportOptions {
  readonly file: string
  readonly partial: boolean
  readonly from?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Takes the weights of a plain network from a checkpoint with the names of the published code.
 *
 * @param options.file name for messages.
 * @param options.from take the tensors of this place in the file only.
 * @param options.partial take the parameters that fit and initialise the others, seeded: for a pretrained encoder, or for
 *   another number of outputs.
 * @throws InputError if parameters are missing or have other shapes, FormatError for numbers that are not finite.
 */
export async function importNetwork(
  checkpoint: CheckpointFile,
  config: NetworkConfig,
  { file, partial, from, signal }: NetworkImportOptions,
): Promise<NetworkImport> {
  const infos = parametersOfNetwork(config)
  const match = bestMatch(checkpoint.states, infos, from)
  if (match === undefined) throw nothingFits(checkpoint, config, infos, file, from)
  const fresh = [...match.missing, ...match.misshapen]
  if (fresh.length > 0 && !partial) throw incomplete(match, config, file, checkpoint.holders)

  const names = new Set(fresh.map(({ name }) => name))
  const started = initialise(
    infos.filter(({ name }) => names.has(name)),
    new Random(seed),
  )
  const weights = new Map<string, Tensor>()
  for (const { name } of infos) {
    signal?.throwIfAborted()
    const tensor = match.found.get(name)
    weights.set(name, tensor === undefined ? started.get(name)! : await readFinite(tensor, name, file))
  }
  return {
    weights,
    from: whereFrom(match),
    taken: match.found.size,
    fresh: [...names],
    ignored: ignoredOf(match, config),
    others: match.others,
  }
}

/** Seed of the parameters that a partial import initialises. */
const seed = 42

/** Reads a tensor. @throws FormatError if its type is not a float, or a number is not finite. */
export async function readFinite(tensor: CheckpointTensor, name: string, file: string): Promise<Tensor> {
  const value = await tensor.read()
  if (value.dtype !== 'float32') {
    throw new FormatError({
      what: `the tensor "${name}" does not hold floats`,
      where: file,
      got: value.dtype,
      expected: 'float32, float16, bfloat16 or float64',
    })
  }
  const bad = value.data.find((number) => !Number.isFinite(number))
  if (bad === undefined) return value
  const remedy = 'take a checkpoint from before the training went wrong'
  const what = `the tensor "${name}" holds a number that is not finite`
  throw new FormatError({ what, where: file, got: String(bad), remedy })
}

/** Where in a file the tensors of a match are, for people. */
export const whereFrom = ({ path, renaming: { strip } }: Match): string => placeName(path, strip)

/** Tensors that are no parameters of the network, except tensors that are known to be unused. */
function ignoredOf({ left, renaming }: Match, { net, outputs }: NetworkConfig): string[] {
  const known = new Set((findNet(net).unused?.({ outputs }) ?? []).map(({ name }) => renaming.strip + name))
  return left.filter((name) => !known.has(name))
}

function nothingFits(
  { states, holders }: CheckpointFile,
  { net }: NetworkConfig,
  wanted: readonly Wanted[],
  file: string,
  from: string | undefined,
): InputError {
  const anywhere = from === undefined ? undefined : bestMatch(states, wanted)
  if (from !== undefined && anywhere !== undefined) {
    return notThere(file, from, [whereFrom(anywhere), ...anywhere.others])
  }
  if (holders.length > 0) return hangsOn(holders, file)
  const theirs = [...states.values()].flatMap((state) => [...state.keys()])
  return new InputError({
    what: `no tensor of the file is a parameter of ${net}`,
    where: file,
    got: theirs.length === 0 ? 'a file without tensors' : listed(theirs),
    expected: listed(wanted.map(({ name }) => name)),
    remedy: 'name the network that the checkpoint was made for as --net',
  })
}

/** The error for a place that a user names, and that has no fitting tensors. */
export function notThere(file: string, from: string, places: readonly string[]): InputError {
  return new InputError({
    what: 'the file has no weights of the network at this place',
    where: file,
    got: JSON.stringify(from),
    expected: places.join(', '),
    remedy: 'give one of these places as --from',
  })
}

function incomplete(
  { missing, misshapen, found }: Match,
  config: NetworkConfig,
  file: string,
  holders: readonly string[],
): InputError {
  // Some tensor of the optimiser's may fit by chance.
  if (holders.length > 0 && 2 * found.size < missing.length) return hangsOn(holders, file)
  const [first] = misshapen
  if (first !== undefined && missing.length === 0) {
    const outputs = outputsOf(misshapen, config.outputs)
    return new InputError({
      what: `${counted(misshapen.length, 'tensor')} of the file have other shapes than ${config.net} with ${config.outputs} outputs`,
      where: file,
      got: `${first.name} ${formatShape(first.got)}`,
      expected: `${first.name} ${formatShape(first.shape)}`,
      remedy:
        outputs === undefined
          ? 'name the network that the checkpoint was made for, or add --partial to initialise these'
          : `the file has ${outputs} outputs: add --outputs ${outputs}, or --partial to initialise them`,
    })
  }
  return new InputError({
    what: `the file lacks ${counted(missing.length, 'parameter')} of ${config.net}`,
    where: file,
    got: `no ${listed(missing.map(({ name }) => name))}`,
    expected: 'every parameter of the network',
    remedy: 'add --partial if the file holds only a pretrained part of the network: the rest is initialised',
  })
}

/** The number of outputs that would make every shape fit, if one does. */
function outputsOf(misshapen: Match['misshapen'], asked: number): number | undefined {
  const candidates = new Set(misshapen.map(({ shape, got }) => swapped(shape, got, asked)))
  const [only] = candidates
  return candidates.size === 1 ? only : undefined
}

/** The one length in which two shapes differ, if the expected length is `asked`. */
function swapped(shape: Shape, got: Shape, asked: number): number | undefined {
  if (shape.length !== got.length) return undefined
  const axes = shape.flatMap((length, axis) => (length === got[axis] ? [] : [axis]))
  return axes.every((axis) => shape[axis] === asked && got[axis] === got[axes[0]!])
    ? got[axes[0]!]
    : undefined
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ')
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown
}
