// Files of tasks on their way: inputs into the store and onto a worker, checkpoints and results into the store and out of it.
// Each file's hash is checked when it arrives, and no path from a store leaves its folder.
import { randomBytes } from 'node:crypto'
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { isTemporary } from '../files/atomic.ts'
import { exists, makeFolder } from '../files/folders.ts'
import { FormatError } from '../util/errors.ts'
import { appear } from './open-store.ts'
import {
  canonical,
  filesOf,
  hashFile,
  hashOf,
  inLanes,
  isSafePath,
  type Store,
  type Task,
  topOf,
} from './task.ts'

const hash = z.string().regex(/^[0-9a-f]{64}$/)
const path = z.string().refine(isSafePath, 'leaves its folder')
const bytes = z.int().nonnegative()

/** The files of an input. The hash of this list is the input's. */
const treeSchema = z.array(z.object({ path, hash, bytes })).min(1).max(100_000)
type Tree = z.infer<typeof treeSchema>

/** Files that a task left. An object holds each large file; the content of a small one, in base64, is in the list itself. */
const manifestSchema = z.object({
  files: z
    .array(
      z.union([
        z.object({ path, hash, bytes, key: z.string().max(500) }),
        z.object({ path, hash, bytes, content: z.string() }),
      ]),
    )
    .max(100_000),
})
export type Manifest = z.infer<typeof manifestSchema>

/** The keys of the objects that hold files of a manifest. */
export const objectsOf = ({ files }: Manifest): string[] =>
  files.flatMap((file) => ('key' in file ? [file.key] : []))

/** Bytes that a small file has at most, and all small files of a manifest. An object for each costs more than its bytes. */
const [mostSmallBytes, mostSmallTogether] = [64 << 10, 1 << 20]

const mostManifestBytes = 64 << 20

/** Files of one task that go out of the store, or into it, at a time. The store may hold a part of each in memory. */
const [downloads, uploads] = [4, 2]

/** Waits for all, also if one of them fails: nothing goes on behind the caller's back. @throws the first error */
export async function allOf<T extends readonly unknown[]>(
  ...works: { readonly [K in keyof T]: Promise<T[K]> }
): Promise<T> {
  await Promise.allSettled(works)
  return (await Promise.all(works)) as unknown as T
}

/** Where a store keeps what. */
export const keys = {
  /** Tasks that have no result yet. */
  task: (id: string) => `tasks/${id}.json`,
  result: (id: string) => `results/${id}.json`,
  failure: (id: string) => `failures/${id}.json`,
  /** Checkpoints of a task: the name of the last one is the greatest. */
  checkpoints: (id: string) => `checkpoints/${id}/`,
  /** Files of all attempts at a task. */
  files: (id: string) => `files/${id}/`,
  claims: (id: string) => `claims/${id}/`,
  worker: (name: string) => `workers/${name}.json`,
}

/** The id in a key such as `results/ID.json`. */
export const idIn = (key: string): string => basename(key, '.json')

/** Puts inputs into a store. Each file is read once, also if many tasks share it. */
export class Uploader {
  private readonly trees = new Map<string, Promise<string | undefined>>()

  constructor(private readonly store: Store) {}

  /** The hashes of inputs, by the names that tasks have for them. @throws InputError for a file that cannot be read. */
  async inputs(names: readonly string[]): Promise<Task['inputs']> {
    const hashes: Record<string, string> = {}
    for (const name of new Set(names)) {
      let tree = this.trees.get(name)
      if (tree === undefined) {
        tree = this.upload(name)
        this.trees.set(name, tree)
        // A file that cannot be read now may be there the next time.
        tree.catch(() => this.trees.delete(name))
      }
      const found = await tree
      if (found !== undefined) hashes[name] = found
    }
    return hashes
  }

  private async upload(name: string): Promise<string | undefined> {
    const files = await filesOf(name)
    if (files === undefined) return undefined
    const tree: Tree = []
    for (const { path, from } of files) {
      const found = await hashFile(from)
      const key = `inputs/${found.hash}`
      if (!(await this.store.has(key))) await this.store.upload(from, key)
      tree.push({ path, ...found })
    }
    const text = canonical(tree)
    const own = hashOf(text)
    await this.store.create(`trees/${own}.json`, text)
    return own
  }
}

/** Trees whose files were found whole on this machine, by their folders: tasks share a run, whose tree is read once. */
const checked = new Map<string, Tree>()
/** The most such trees, and the most files that a tree has in this list. */
const [mostChecked, mostFilesChecked] = [1000, 100]

/**
 * Brings inputs onto this machine, if they are not there yet. The same input has the same path on all machines, relative
 * to `home`: a training that goes on elsewhere finds its videos under the names that it began with.
 *
 * @returns paths relative to `home`, by the names that the task has for them
 * @throws FormatError if the store has other content than the task says.
 */
export async function fetchInputs(
  store: Store,
  inputs: Task['inputs'],
  home: string,
): Promise<Record<string, string>> {
  const found = Object.entries(inputs).map(async ([name, tree]) => [name, await fetchTree(store, tree, home)])
  return Object.fromEntries(await allOf(...found)) as Record<string, string>
}

/** @returns the path of the file or folder at the top of a tree, relative to `home` */
async function fetchTree(store: Store, tree: string, home: string): Promise<string> {
  const folder = join('inputs', tree.slice(0, 32))
  const target = join(home, folder)
  const known = checked.get(target)
  if (known !== undefined && (await isWhole(target, known, sizeOf)))
    return join(folder, topOf(known[0]!.path))
  checked.delete(target)
  const text = (await store.read(`trees/${tree}.json`, mostManifestBytes))?.toString('utf8')
  if (text === undefined || hashOf(text) !== tree) throw damaged(`trees/${tree}.json`, store)
  const files = parsed(treeSchema, text, `trees/${tree}.json`, store)
  if (!(await isWhole(target, files))) await fetchFiles(store, files, target)
  if (checked.size >= mostChecked) checked.clear()
  if (files.length <= mostFilesChecked) checked.set(target, files)
  return join(folder, topOf(files[0]!.path))
}

/** Fetches the files of a tree. They appear together, in one step. */
async function fetchFiles(store: Store, files: Tree, target: string): Promise<void> {
  const arriving = join(dirname(target), `.arriving-${process.pid}-${randomBytes(6).toString('hex')}`)
  try {
    await inLanes(files, downloads, (file) =>
      fetchFile(store, { ...file, key: `inputs/${file.hash}` }, join(arriving, file.path)),
    )
    // What is there is damaged, as files are that were being written when the power died; or another task, or another worker on
    // this machine, was quicker.
    if (await isWhole(target, files)) return
    await rm(target, { recursive: true, force: true })
    await rename(arriving, target)
  } catch (error) {
    if (!(await isWhole(target, files))) throw error
  } finally {
    await rm(arriving, { recursive: true, force: true })
  }
}

/**
 * Whether a folder has the files of a tree, with their content.
 *
 * @param look returns the size of a file, and its hash, if that is to be compared; undefined if it cannot be read
 */
async function isWhole(
  folder: string,
  files: Tree,
  look: (file: string) => Promise<{ readonly bytes: number; readonly hash?: string } | undefined> = (file) =>
    hashFile(file).catch(() => undefined),
): Promise<boolean> {
  if (!(await exists(folder))) return false
  for (const { path, bytes, hash } of files) {
    const found = await look(join(folder, path))
    if (found?.bytes !== bytes || (found.hash ?? hash) !== hash) return false
  }
  return true
}

/**
 * Copies the files of a task's folder into the store, under names that no other attempt has. The content of small files is
 * in what it returns. Locks and temporaries stay.
 *
 * @param first a file that is copied before all others
 * @param leave folders and files that are not copied
 * @param isOver whether nobody writes into the folder any more
 */
export async function uploadFolder(
  store: Store,
  folder: string,
  prefix: string,
  options: {
    readonly first?: string | undefined
    readonly leave?: readonly string[]
    readonly isOver?: boolean
  } = {},
): Promise<Manifest> {
  const { first, leave = [], isOver = false } = options
  const found = await filesIn(folder, '')
  const paths = found.filter(
    (one) => one !== first && !leave.some((left) => one === left || one.startsWith(`${left}/`)),
  )
  if (first !== undefined && found.includes(first)) paths.unshift(first)
  const files = new Map<string, Manifest['files'][number]>()
  let together = 0
  /** @returns whether the file is small, and now in the list */
  const hold = async (path: string): Promise<boolean> => {
    const from = join(folder, path)
    const size = (await sizeOf(from))?.bytes
    if (size === undefined || size > mostSmallBytes || together + size > mostSmallTogether) return false
    const content = await readFile(from).catch(() => undefined)
    // It may have been replaced by a larger one.
    if (content === undefined || content.length > mostSmallBytes) return false
    together += content.length
    const bytes = content.length
    files.set(path, { path, hash: hashOf(content), bytes, content: content.toString('base64') })
    return true
  }
  const upload = async (path: string, from: string): Promise<void> => {
    const key = `${prefix}${paths.indexOf(path)}`
    await store.upload(from, key)
    files.set(path, { path, key, ...(await hashFile(from)) })
  }
  const take = async (path: string): Promise<void> => {
    if (await hold(path)) return
    if (isOver) return upload(path, join(folder, path))
    // Training may replace a file at any time. Its bytes are those of one moment only in a copy.
    const copy = await snapshot(join(folder, path))
    if (copy === undefined) return
    try {
      await upload(path, copy)
    } finally {
      await rm(copy, { force: true })
    }
  }
  const isFirst = (path: string) => path === first
  await inLanes(paths.filter(isFirst), 1, take)
  await inLanes(
    paths.filter((path) => !isFirst(path)),
    uploads,
    take,
  )
  return { files: paths.flatMap((path) => files.get(path) ?? []) }
}

/** A copy of a file beside it; undefined if the file is gone. */
async function snapshot(path: string): Promise<string | undefined> {
  const { copyFile, link } = await import('node:fs/promises')
  const copy = join(dirname(path), `.snapshot-${randomBytes(6).toString('hex')}`)
  // Files that are replaced by a rename can be linked. Metrics are written to in place.
  const take = path.endsWith('.jsonl') ? copyFile : link
  return take(path, copy).then(
    () => copy,
    async (error: unknown) => {
      if (!(await exists(path))) return undefined
      if (take === copyFile) throw error
      await copyFile(path, copy)
      return copy
    },
  )
}

async function filesIn(folder: string, under: string): Promise<string[]> {
  const entries = await readdir(join(folder, under), { withFileTypes: true }).catch(() => [])
  const lists = entries.map(async (entry) => {
    const path = under === '' ? entry.name : `${under}/${entry.name}`
    if (entry.isDirectory()) return filesIn(folder, path)
    const left = entry.name === 'lock' || isTemporary(entry.name) || !isSafePath(path)
    return left || entry.name.startsWith('.') || !entry.isFile() ? [] : [path]
  })
  return (await Promise.all(lists)).flat()
}

/** Writes the files of a manifest into a folder, the file `last` after all others. @throws FormatError, InputError */
export async function downloadFiles(
  store: Store,
  { files }: Manifest,
  folder: string,
  last?: string,
): Promise<void> {
  for (const isLast of [false, true]) {
    const now = files.filter(({ path }) => (path === last) === isLast)
    await inLanes(now, downloads, (file) => {
      const to = join(folder, file.path)
      return 'key' in file ? fetchFile(store, file, to) : writeHeld(store, file, to)
    })
  }
}

/** A manifest; undefined if there is none. @throws FormatError */
export async function readManifest(store: Store, key: string): Promise<Manifest | undefined> {
  const text = (await store.read(key, mostManifestBytes))?.toString('utf8')
  return text === undefined ? undefined : parsed(manifestSchema, text, key, store)
}

async function fetchFile(
  store: Store,
  { key, hash: wanted, bytes }: { readonly key: string; readonly hash: string; readonly bytes: number },
  to: string,
): Promise<void> {
  await makeFolder(dirname(to))
  // An object that has more bytes than the list says would fill the disk before its hash is known.
  await store.download(key, to, bytes)
  const { hash: found } = await hashFile(to)
  if (found === wanted) return
  await rm(to, { force: true })
  throw damaged(key, store)
}

/** Writes a small file that a manifest holds. */
async function writeHeld(
  store: Store,
  { path, hash: wanted, content }: { readonly path: string; readonly hash: string; readonly content: string },
  to: string,
): Promise<void> {
  const bytes = Buffer.from(content, 'base64')
  if (hashOf(bytes) !== wanted) throw damaged(`the file ${path} in a list of files`, store)
  await makeFolder(dirname(to))
  await appear(to, (temporary) => writeFile(temporary, bytes))
}

function parsed<T>(schema: z.ZodType<T>, text: string, key: string, store: Store): T {
  try {
    return schema.parse(JSON.parse(text))
  } catch {
    throw damaged(key, store)
  }
}

const damaged = (key: string, store: Store): FormatError =>
  new FormatError({
    what: 'an object of the store is missing, or has other content than it should',
    where: `${store.name}: ${key}`,
    remedy: 'remove it from the store and run the command that made it again',
  })

/** Removes the objects under a prefix, except some. */
export async function removeAll(
  store: Store,
  prefix: string,
  keep: ReadonlySet<string> = new Set(),
): Promise<void> {
  for await (const { key } of store.list(prefix)) if (!keep.has(key)) await store.remove(key)
}

/** Bytes of a file; undefined without file. */
const sizeOf = (file: string): Promise<{ readonly bytes: number } | undefined> =>
  stat(file).then(
    ({ size }) => ({ bytes: size }),
    () => undefined,
  )

/** The modification time and size of a file as text, which changes when the file is replaced; undefined without file. */
export const stampOf = (file: string): Promise<string | undefined> =>
  stat(file).then(
    ({ mtimeMs, size, ino }) => `${mtimeMs} ${size} ${ino}`,
    () => undefined,
  )
