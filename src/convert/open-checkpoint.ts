// Opens checkpoints in every form in which people have them: one file of PyTorch or safetensors, such a file with gzip,
// the folder that it was unpacked to, or several files with an index.
import { lstat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { z } from 'zod'
import { codeOf } from '../files/file-errors.ts'
import { isFolder } from '../files/folders.ts'
import { FileBytes, readStart, readWhole } from '../files/read.ts'
import { decodeSafetensors, readSafetensors, type TensorFile } from '../formats/safetensors/safetensors.ts'
import { openTorchFolder } from '../formats/torch/parts.ts'
import { openTorchFile } from '../formats/torch/torch-file.ts'
import { FormatError, messageOf } from '../util/errors.ts'
import type { CheckpointFile, CheckpointTensor } from './checkpoint.ts'

/**
 * Opens a checkpoint: PyTorch's zip or legacy format, or safetensors. The first bytes tell the format, because the
 * names of such files say little. The path may also be a file with gzip, the folder that a checkpoint was unpacked to,
 * the index of a checkpoint in several files, or one of these files.
 *
 * @throws FormatError for a file in another format, or one that is damaged or hostile; InputError for a file that
 * cannot be read.
 */
export async function openCheckpoint(path: string): Promise<CheckpointFile> {
  if (basename(path) === 'data.pkl' || (await isFolder(path))) return torch(openTorchFolder(path))
  const start = await readStart(path, 'a checkpoint', 9)
  if (looksLikeIndex(start, path)) return joined(path, await readIndex(path))
  const shards = shardsOf(path)
  if (shards !== undefined) return joined(path, shards)
  return openFile(path, start)
}

/** Opens a checkpoint that is one file. */
async function openFile(path: string, start: Uint8Array): Promise<CheckpointFile> {
  if (looksLikeSafetensors(start)) return safetensors(await readSafetensors(path))
  if (start[0] !== 0x1f || start[1] !== 0x8b) return torch(openTorchFile(path))
  const content = await inflated(path)
  return looksLikeSafetensors(content.subarray(0, 9))
    ? safetensors(await decodeSafetensors(content, path))
    : torch(openTorchFile(FileBytes.inMemory(path, content)))
}

const torch = async (file: ReturnType<typeof openTorchFile>): Promise<CheckpointFile> => ({
  format: 'PyTorch',
  ...(await file),
})

function safetensors({ tensors }: TensorFile): CheckpointFile {
  const state = new Map(
    Array.from(tensors, ([name, tensor]) => [name, { shape: tensor.shape, read: async () => tensor }]),
  )
  const states = new Map([['', state]])
  return { format: 'safetensors', states, foreign: [], holders: [], close: async () => {} }
}

/** safetensors begin with a little-endian length whose upper half is 0, then the brace that opens the header. */
const looksLikeSafetensors = (start: Uint8Array) =>
  start.length === 9 && start.subarray(4, 8).every((byte) => byte === 0) && start[8] === 0x7b

/** Limits on files with gzip: the factor times their size, plus the slack, as for zip archives; and on any file. */
const limits = {
  inflation: 16,
  inflationSlack: 16 * 2 ** 20,
  inMemory: 2 ** 31 - 2 ** 20,
  indexBytes: 16 * 2 ** 20,
  shards: 1000,
} as const

async function inflated(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const packed = await readWhole(path, 'a checkpoint with gzip', limits.inMemory)
  const most = Math.min(limits.inflation * packed.length + limits.inflationSlack, limits.inMemory)
  try {
    return await promisify(gunzip)(packed, { maxOutputLength: most })
  } catch (error) {
    const isTooLarge = codeOf(error) === 'ERR_BUFFER_TOO_LARGE'
    throw new FormatError(
      {
        what: isTooLarge ? 'the file inflates too much' : 'the file is packed with gzip, and damaged',
        where: path,
        got: isTooLarge ? `over ${most} bytes` : messageOf(error),
        remedy: isTooLarge ? 'unpack it with gunzip, if you trust it' : 'download it again',
      },
      { cause: error },
    )
  }
}

/** The files of a checkpoint, each with the tensors that are taken from it; all if there are no names. */
type Shards = ReadonlyMap<string, ReadonlySet<string> | undefined>

const looksLikeIndex = (start: Uint8Array, path: string) =>
  path.endsWith('.index.json') ||
  (start[0] === 0x7b && !looksLikeSafetensors(start) && path.endsWith('.json'))

const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) })

/** Reads the index that libraries write beside a checkpoint in several files. */
async function readIndex(path: string): Promise<Shards> {
  const text = (await readWhole(path, 'the index of a checkpoint', limits.indexBytes)).toString('utf8')
  const refuse = (got: string, expected: string, cause?: unknown): never => {
    const what = 'this is not the index of a checkpoint in several files'
    throw new FormatError(
      { what, where: path, got, expected, remedy: 'name the checkpoint itself' },
      { cause },
    )
  }
  const parsed = (() => {
    try {
      return indexSchema.safeParse(JSON.parse(text)).data
    } catch (error) {
      return refuse(messageOf(error), 'JSON', error)
    }
  })()
  if (parsed === undefined) return refuse('JSON of another form', 'weight_map: the file of each tensor')
  const shards = new Map<string, Set<string>>()
  for (const [tensor, file] of Object.entries(parsed.weight_map)) {
    if (!/^[^/\\:\0]{1,200}$/.test(file) || file.startsWith('.')) {
      refuse(JSON.stringify(file.slice(0, 80)), 'names of files in the same folder')
    }
    const names = shards.get(file) ?? new Set()
    shards.set(file, names.add(tensor))
    if (shards.size > limits.shards) refuse(`over ${limits.shards} files`, `at most ${limits.shards}`)
  }
  return shards
}

/** All files of the checkpoint of which a file name says that it is one part: `model-00001-of-00002.safetensors`. */
function shardsOf(path: string): Shards | undefined {
  const [, stem, part, count = '', ending] = /^(.*-)(\d{5})(-of-\d{5})(\.\w+)$/.exec(basename(path)) ?? []
  const total = Number(count.slice(4))
  if (part === undefined || total < 2 || total > limits.shards) return undefined
  const name = (i: number) => `${stem}${String(i + 1).padStart(5, '0')}${count}${ending}`
  return new Map(Array.from({ length: total }, (_, i) => [name(i), undefined]))
}

/** A checkpoint in several files as one. @throws FormatError if a file or a tensor is missing, or comes twice. */
async function joined(path: string, shards: Shards): Promise<CheckpointFile> {
  const files: CheckpointFile[] = []
  const close = async () => void (await Promise.all(files.map((file) => file.close())))
  const state = new Map<string, CheckpointTensor>()
  const refuse = (what: string, where: string, got: string): never => {
    const expected = `all ${shards.size} files of the checkpoint in one folder`
    throw new FormatError({ what, where, got, expected, remedy: 'download the whole checkpoint' })
  }
  try {
    for (const [name, wanted] of shards) {
      const shard = join(dirname(path), name)
      if (await isMissing(shard)) refuse('a file of the checkpoint is missing', path, `no ${name}`)
      const file = await openFile(shard, await readStart(shard, 'a part of a checkpoint', 9))
      files.push(file)
      const found = file.states.get('') ?? new Map<string, CheckpointTensor>()
      for (const tensor of wanted ?? found.keys()) {
        const value = found.get(tensor)
        if (value === undefined) refuse('a file of the checkpoint lacks a tensor', shard, `no ${tensor}`)
        else if (state.has(tensor)) refuse('two files of the checkpoint have one tensor', shard, tensor)
        else state.set(tensor, value)
      }
    }
  } catch (error) {
    await close()
    throw error
  }
  const all = (names: (file: CheckpointFile) => readonly string[]) => [...new Set(files.flatMap(names))]
  const format = files[0]?.format ?? 'safetensors'
  const foreign = all((file) => file.foreign)
  return { format, states: new Map([['', state]]), foreign, holders: all((file) => file.holders), close }
}

const isMissing = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => false,
    () => true,
  )
