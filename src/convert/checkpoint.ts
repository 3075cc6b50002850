// Checkpoints from elsewhere, in any format, as dictionaries of tensors; and which of the tensors are which parameters
// of a network, found by name endings and shapes.
import { readStart } from '../files/read.ts'
import { readSafetensors } from '../formats/safetensors/safetensors.ts'
import { openTorchFile } from '../formats/torch/torch-file.ts'
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
  close(): Promise<void>
}

/**
 * Opens a checkpoint: PyTorch's zip or legacy format, or safetensors. The first bytes tell the format, because the
 * names of such files say little.
 *
 * @throws FormatError for a file in another format, or one that is damaged or hostile; InputError for a file that
 * cannot be read.
 */
export async function openCheckpoint(path: string): Promise<CheckpointFile> {
  if (!looksLikeSafetensors(await readStart(path, 'a checkpoint', 9))) {
    const { states, close } = await openTorchFile(path)
    return { format: 'PyTorch', states, close }
  }
  const { tensors } = await readSafetensors(path)
  const state = new Map(
    Array.from(tensors, ([name, tensor]) => [name, { shape: tensor.shape, read: async () => tensor }]),
  )
  return { format: 'safetensors', states: new Map([['', state]]), close: async () => {} }
}

/** safetensors begin with a little-endian length whose upper half is 0, then the brace that opens the header. */
const looksLikeSafetensors = (start: Uint8Array) =>
  start.length === 9 && start.subarray(4, 8).every((byte) => byte === 0) && start[8] === 0x7b

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

/**
 * Finds the dictionary and the renaming with which most parameters have a tensor of their shape. Names are compared
 * segment by segment (`encoder.layers.0.bn1.weight`).
 *
 * @returns undefined if nothing fits.
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
