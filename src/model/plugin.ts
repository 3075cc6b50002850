// Plugins: files outside the package that bring networks of one's own, or register losses and measures.
import { stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { codeOf, fileError } from '../files/file-errors.ts'
import { type ChildTask, childTask, type Hooks } from '../util/child-process.ts'
import { InputError, messageOf, PantinError } from '../util/errors.ts'
import type { Net } from '../zoo/net.ts'
import { isOfZoo, listNets, notePlugin, pluginOf, registerNet } from '../zoo/registry.ts'

const loaded = new Set<string>()

/** Absolute paths of the plugins of this process, in the order in which they were loaded. */
export const loadedPlugins = (): readonly string[] => [...loaded]

/**
 * Loads a module, and registers the networks that it exports: each alone, in an array, or as the default export. The
 * module may call `registerNet` and the like itself instead. Only this function and `--plugin` load code: a run folder
 * names the file that its network is from, and never has it loaded.
 *
 * @param path of the module, an `.mjs` or `.js` file
 * @returns the names of the networks that came with it
 * @throws InputError if there is no such file, it cannot be loaded, or a name is taken.
 */
export async function loadPlugin(path: string): Promise<string[]> {
  const file = resolve(path)
  await stat(file).catch((error: unknown) => {
    throw fileError(error, file, 'read')
  })
  const before = new Set(listNets())
  let found: readonly Net[]
  try {
    const exported: unknown = await import(pathToFileURL(file).href)
    found = netsIn(exported)
  } catch (error) {
    if (error instanceof PantinError) throw error
    const absent = codeOf(error) === 'ERR_MODULE_NOT_FOUND'
    throw new InputError(
      {
        what: 'the plugin cannot be loaded',
        where: file,
        got: messageOf(error).slice(0, 300),
        remedy: absent
          ? 'install what it imports in its own folder; if that is pantin: npm install pantin'
          : 'mend the file: node must be able to import it',
      },
      { cause: error },
    )
  }
  for (const net of found) registerNet(net)
  loaded.add(file)
  const registered = listNets().filter((name) => !before.has(name))
  const names = new Set([...found.map(({ name }) => name), ...registered])
  for (const name of names) notePlugin(name, basename(file))
  return [...names]
}

/** Loads plugins in turn. */
export async function loadPlugins(paths: Iterable<string>): Promise<void> {
  for (const path of paths) await loadPlugin(path)
}

/**
 * `childTask` for work that may need networks of one's own: the child loads the plugins that its parent has loaded.
 *
 * @param url `import.meta.url` of the calling module, which must export the returned function at its top level
 */
export function childTaskWithPlugins<Task extends object, Result = undefined>(
  url: string,
  work: (task: Task, hooks: Hooks) => Promise<Result>,
): ChildTask<Task, Result> {
  const run = childTask(
    url,
    async ({ task, plugins }: { readonly task: Task; readonly plugins: readonly string[] }, hooks) => {
      await loadPlugins(plugins)
      return work(task, hooks)
    },
  )
  return (task, hooks) => run({ task, plugins: loadedPlugins() }, hooks)
}

/** @throws InputError for a network that is known to this process alone, and not to the processes that it starts. */
export function assertLoadable(nets: readonly string[]): void {
  const own = nets.find((net) => !isOfZoo(net) && pluginOf(net) === undefined)
  if (own === undefined) return
  throw new InputError({
    what: 'a network that is trained in a process of its own must be in a file',
    where: own,
    got: 'a network that was registered in this process',
    remedy: 'export it from a file, and load that: loadPlugin(file) in code, --plugin on the command line',
  })
}

/** What looks like a network among a module's exports. */
function netsIn(exported: unknown): Net[] {
  const values = typeof exported === 'object' && exported !== null ? Object.values(exported) : []
  return [...new Set(values.flat())].filter(looksLikeNet)
}

/** `registerNet` checks the rest, and says what is missing. Losses, which have an `of`, are built too. */
const looksLikeNet = (value: unknown): value is Net =>
  typeof value === 'object' &&
  value !== null &&
  'name' in value &&
  ('build' in value || 'features' in value) &&
  !('of' in value)
