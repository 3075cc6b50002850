import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf } from './file-errors.ts'

/**
 * Makes a folder and its missing parents. Node's own recursive mkdir never returns where a file system
 * answers "no such file" to the making of a folder, as /proc does.
 *
 * @throws what mkdir throws.
 */
export async function makeFolder(path: string): Promise<void> {
  const missing: string[] = []
  for (let at = path; !(await isFolder(at)); at = dirname(at)) {
    missing.push(at)
    if (dirname(at) === at) break
  }
  for (const folder of missing.reverse()) {
    try {
      await mkdir(folder)
    } catch (error) {
      // Another process may have made it in the meantime; a file in its place is an error.
      if (codeOf(error) !== 'EEXIST' || !(await isFolder(folder))) throw error
    }
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}
