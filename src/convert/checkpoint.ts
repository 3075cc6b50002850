// Checkpoints from elsewhere as dictionaries of tensors, and which of the tensors are which parameters of a network,
// found by name endings and shapes.
import { type Shape, sameShape, type Tensor } from '../graph/tensor.ts'

/** A tensor of a checkpoint. */
export interface CheckpointTensor {
  readonly shape: Shape
  /** Reads its values; float16, bfloat16 and float64 become float32. */
  read(): Promise<Tensor>
}

/** Tensors by name, in the order of the file. */
export type StateDict = ReadonlyMap<string, CheckpointTensor>

/** An open checkpoint. */
export interface CheckpointFile {
  readonly format: 'PyTorch' | 'safetensors'
  /** Every dictionary of tensors in the file, by the path of keys that leads to it: '' or `state_dict`. */
  readonly states: ReadonlyMap<string, StateDict>
  /** Python classes in the file that pantin does not know, as `module.name`. Their objects are passed over. */
  readonly foreign: readonly string[]
  /** Unknown classes that have tensors in them, which cannot be read. */
  readonly holders: readonly string[]
  close(): Promise<void>
}

/** A parameter of a network. */
export interface Wanted {
  readonly name: string
  readonly shape: Shape
}

/** How names of a checkpoint become names of a network: one beginning is replaced by another. */
export interface Renaming {
  /** The beginning that is removed: `module.`, or `module.features.` of a classifier that contains the encoder. */
  readonly strip: string
  /** The beginning that is added: `encoder.` if the file holds only an encoder. */
  readonly prepend: string
}

/** Which parameters of a network were found in a checkpoint. */
export interface Match {
  /** Path of the dictionary within the file. */
  readonly path: string
  readonly renaming: Renaming
  /** Tensors by the names of the network. */
  readonly found: ReadonlyMap<string, CheckpointTensor>
  /** Parameters whose tensor has another shape. */
  readonly misshapen: readonly (Wanted & { readonly got: Shape })[]
  /** Parameters without a tensor. */
  readonly missing: readonly Wanted[]
  /** Names in the file that are no parameter of the network; counters of batches are left out. */
  readonly left: readonly string[]
}

/** The name of a place in a file, for people and for the option `from`: `state_dict / module`. */
export const placeName = (path: string, strip: string): string =>
  [path, strip.replace(/\.$/, '')].filter((part) => part !== '').join(' / ') || 'the top'

/** Whether a place is the one that a user names: by its whole name, by a path that leads to it, or by its beginning. */
export const isPlace = (from: string, path: string, strip: string): boolean =>
  from === placeName(path, strip) ||
  [path, strip, `${path}.${strip}`].some((place) => `${place}.`.startsWith(`${from}.`))

/**
 * The order in which places with equally many tensors are taken, whatever their order in the file is: weights as they
 * were trained before averages of them, then the shorter name.
 */
export function comparePlaces(a: string, b: string): number {
  return Number(isAverage(a)) - Number(isAverage(b)) || a.length - b.length || (a < b ? -1 : a > b ? 1 : 0)
}

const isAverage = (place: string) =>
  /(^|[^a-z])(ema|swa|avg|averaged?|shadow)([^a-z]|$)/.test(
    place.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase(),
  )

/** A match, and the other places in the file that would do. */
export interface BestMatch extends Match {
  /** Names of places with other tensors for at least half as many parameters, such as averaged weights. */
  readonly others: readonly string[]
}

/** Other places that are compared with the best one. Real files have two or three. */
const mostOthers = 16

/**
 * Finds the dictionary and the renaming with which most parameters have a tensor of their shape. Names are compared
 * segment by segment (`encoder.layers.0.bn1.weight`). Among equals, `comparePlaces` decides.
 *
 * @param from takes the tensors from this place only; see `isPlace`.
 * @returns undefined if nothing fits.
 */
export function bestMatch(
  states: ReadonlyMap<string, StateDict>,
  wanted: readonly Wanted[],
  from?: string,
): BestMatch | undefined {
  const bySuffix = suffixesOf(wanted)
  const all = [...states].flatMap(([path, state]) =>
    Array.from(candidates(state, bySuffix).values(), (found) => ({ ...found, path })),
  )
  const name = ({ path, renaming }: (typeof all)[number]) => placeName(path, renaming.strip)
  all.sort(
    (a, b) =>
      b.votes - a.votes ||
      a.renaming.prepend.length - b.renaming.prepend.length ||
      comparePlaces(name(a), name(b)),
  )
  const best = all.find(({ path, renaming }) => from === undefined || isPlace(from, path, renaming.strip))
  if (best === undefined) return undefined
  const match = matchUnder(best.path, states.get(best.path)!, best.renaming, wanted)
  const taken = new Set(match.found.values())
  const others = all
    .filter((other) => other !== best && 2 * other.votes >= best.votes)
    .slice(0, mostOthers)
    .filter(({ path, renaming }) => {
      const { found } = matchUnder(path, states.get(path)!, renaming, wanted)
      // One dictionary may have several paths, and one tensor may fit several parameters.
      return ![...found.values()].some((tensor) => taken.has(tensor))
    })
  return { ...match, others: [...new Set(others.map(name))] }
}

/** The match with one renaming. */
export function matchUnder(
  path: string,
  state: StateDict,
  renaming: Renaming,
  wanted: readonly Wanted[],
): Match {
  const found = new Map<string, CheckpointTensor>()
  const misshapen: (Wanted & { got: Shape })[] = []
  const missing: Wanted[] = []
  const used = new Set<string>()
  for (const want of wanted) {
    const theirs = theirName(want.name, renaming)
    const tensor = theirs === undefined ? undefined : state.get(theirs)
    if (theirs === undefined || tensor === undefined) missing.push(want)
    else {
      used.add(theirs)
      if (sameShape(tensor.shape, want.shape)) found.set(want.name, tensor)
      else misshapen.push({ ...want, got: tensor.shape })
    }
  }
  const left = [...state.keys()].filter((name) => !used.has(name) && !name.endsWith('num_batches_tracked'))
  return { path, renaming, found, misshapen, missing, left }
}

/** The name in the file; undefined if the renaming gives no name, because the file holds another part of the network. */
function theirName(name: string, { strip, prepend }: Renaming): string | undefined {
  return name.startsWith(prepend) ? strip + name.slice(prepend.length) : undefined
}

/** Parameters by the endings of their names that begin with a whole segment. */
function suffixesOf(wanted: readonly Wanted[]): ReadonlyMap<string, readonly Wanted[]> {
  const bySuffix = new Map<string, Wanted[]>()
  for (const want of wanted) {
    for (const suffix of suffixes(want.name)) {
      const list = bySuffix.get(suffix)
      if (list === undefined) bySuffix.set(suffix, [want])
      else list.push(want)
    }
  }
  return bySuffix
}

/** Each renaming that matches some tensor, with the number of tensors that it matches. */
function candidates(state: StateDict, bySuffix: ReadonlyMap<string, readonly Wanted[]>) {
  const votes = new Map<string, { renaming: Renaming; votes: number }>()
  for (const [name, { shape }] of state) {
    for (const suffix of suffixes(name)) {
      const strip = name.slice(0, name.length - suffix.length)
      for (const want of bySuffix.get(suffix) ?? []) {
        if (!sameShape(shape, want.shape)) continue
        const prepend = want.name.slice(0, want.name.length - suffix.length)
        // If both beginnings end in the same segment, a longer ending gives the same match.
        if (strip !== '' && prepend !== '' && lastSegment(strip) === lastSegment(prepend)) continue
        const key = `${strip}\n${prepend}`
        const entry = votes.get(key) ?? { renaming: { strip, prepend }, votes: 0 }
        entry.votes++
        votes.set(key, entry)
      }
    }
  }
  return votes
}

const lastSegment = (prefix: string) => prefix.split('.').at(-2)

/** A name, and its endings without the first segment, the first two, and so on; at least two segments remain. */
function suffixes(name: string): string[] {
  const segments = name.split('.').slice(-maxSegments)
  const whole = [
    name,
    ...segments.map((_, i) => segments.slice(i).join('.')).filter((text) => text.includes('.')),
  ]
  return [...new Set(whole)]
}

/** Names have up to eight segments; more would only cost time. */
const maxSegments = 16
