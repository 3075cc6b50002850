// Where the run is that a user names: a folder, or the folder of a starter.
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isRun } from './config-file.ts'
import { findStarter } from './starters.ts'

/** From `src/run` and from `dist/run` alike. */
const starterFolders = fileURLToPath(new URL('../../assets/starters/', import.meta.url))

/** The folder of a starter in this installation, absolute. */
export const starterFolder = (name: string): string => join(starterFolders, name)

/**
 * Whether a run in the current folder has the name of a starter. That run is the one that is meant, so that no starter
 * of a later version takes the place of somebody's own run. A folder that is no run, such as one with pictures of
 * faces, does not count.
 *
 * @param named as the user gave it
 */
export async function hidesStarter(named: string): Promise<boolean> {
  return findStarter(named) !== undefined && isRun(resolve(named))
}

/**
 * The folder that a user's name for a run stands for, absolute. `face` is the starter, unless a run of that name is in
 * the current folder; `./face` is always a folder. This is the only place that decides so.
 *
 * @param named a path, or the name of a starter
 */
export async function runFolder(named: string): Promise<string> {
  const isStarter = findStarter(named) !== undefined && !(await hidesStarter(named))
  return isStarter ? starterFolder(named) : resolve(named)
}
