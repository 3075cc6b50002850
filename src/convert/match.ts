import { type Shape, sameShape } from '../graph/tensor.ts'
import type { CheckpointTensor, StateDict } from './checkpoint.ts'

/** Which tensors of a checkpoint are which parameters of a network. */

/** What a network asks for, by its own name. */
export interface Wanted {
  readonly name: string
  readonly shape: Shape
}

/** How names of a checkpoint become ours: a beginning is cut off, another is put in its place. */
export interface Renaming {
  /** For instance `module.`, or `module.features.` of a classifier that holds the encoder. */
  readonly strip: string
  /** For instance `encoder.`, where the file holds an encoder alone. */
  readonly prepend: string
}

export interface Match {
  /** Path of the dictionary within the file. */
  readonly path: string
  readonly renaming: Renaming
  /** By our names. */
  readonly found: ReadonlyMap<string, CheckpointTensor>
  /** Of the right name and another shape. */
  readonly misshapen: readonly (Wanted & { readonly got: Shape })[]
  readonly missing: readonly Wanted[]
  /** Names of the file that are no parameter of the network, without counters of batches. */
  readonly left: readonly string[]
}

/**
 * Finds the dictionary and the renaming under which most parameters have a tensor of their shape. Names are
 * compared part by part (`encoder.layers.0.bn1.weight`), and a part of a name is never cut.
 *
 * @returns undefined where nothing fits.
 */
export function bestMatch(
  states: ReadonlyMap<string, StateDict>,
  wanted: readonly Wanted[],
): Match | undefined {
  let best: { path: string; renaming: Renaming; votes: number } | undefined
  const bySuffix = suffixesOf(wanted)
  for (const [path, state] of states) {
    for (const { renaming, votes } of candidates(state, bySuffix).values()) {
      if (best === undefined || votes > best.votes) best = { path, renaming, votes }
    }
  }
  return best && matchUnder(best.path, states.get(best.path)!, best.renaming, wanted)
}

/** What fits under one renaming. */
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

/** @returns undefined for a name that the file cannot have: it holds another part of the network. */
function theirName(name: string, { strip, prepend }: Renaming): string | undefined {
  return name.startsWith(prepend) ? strip + name.slice(prepend.length) : undefined
}

/** Wanted parameters by each end of their names that begins with a whole part. */
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

/** Each renaming that gives some tensor a place, with the number of tensors that it gives one. */
function candidates(state: StateDict, bySuffix: ReadonlyMap<string, readonly Wanted[]>) {
  const votes = new Map<string, { renaming: Renaming; votes: number }>()
  for (const [name, { shape }] of state) {
    for (const suffix of suffixes(name)) {
      const strip = name.slice(0, name.length - suffix.length)
      for (const want of bySuffix.get(suffix) ?? []) {
        if (!sameShape(shape, want.shape)) continue
        const prepend = want.name.slice(0, want.name.length - suffix.length)
        // Both cut: either of the two would do with a longer suffix, or the names are of different things.
        if (strip !== '' && prepend !== '' && lastPart(strip) === lastPart(prepend)) continue
        const key = `${strip}\n${prepend}`
        const entry = votes.get(key) ?? { renaming: { strip, prepend }, votes: 0 }
        entry.votes++
        votes.set(key, entry)
      }
    }
  }
  return votes
}

const lastPart = (prefix: string) => prefix.split('.').at(-2)

/** A name, and what is left of it without its first part, first two parts, and so on; at least two parts. */
function suffixes(name: string): string[] {
  const parts = name.split('.').slice(-maxParts)
  const whole = [name, ...parts.map((_, i) => parts.slice(i).join('.')).filter((text) => text.includes('.'))]
  return [...new Set(whole)]
}

/** Names in use have up to eight parts; more would only cost time. */
const maxParts = 16
