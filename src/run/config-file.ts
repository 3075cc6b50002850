// The folder of a run that a user names, its config.json, read and written, and the facts about the machine that go into
// env.json.

import { stat } from 'node:fs/promises'
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { writeFileAtomic } from '../files/atomic.ts'
import { addressError, codeOf, fileError } from '../files/file-errors.ts'
import { exists } from '../files/folders.ts'
import { readWhole } from '../files/read.ts'
import { InputError } from '../util/errors.ts'
import { configText, parseConfig, remedy, stampSchema } from './config.ts'
import { configFile } from './run-files.ts'
import { findStarter, nearestStarter, starterNames } from './starters.ts'

/** Far above any configuration; a larger file is something else. */
export const mostConfigBytes = 16 << 20

/** Writes the configuration atomically. @throws InputError if it is not plain JSON or has a `pantin` key. */
export async function writeConfig(path: string, version: string, config: object): Promise<void> {
  await writeFileAtomic(join(path, configFile), configText(path, version, config))
}

/** Whether a folder has a config.json that pantin wrote, in any format. */
export async function isRun(path: string): Promise<boolean> {
  try {
    const config: unknown = JSON.parse(await readConfigFile(join(path, configFile)))
    return z.object({ pantin: stampSchema }).safeParse(config).success
  } catch {
    return false
  }
}

/**
 * Reads and validates the configuration of the run in folder `path`.
 *
 * @returns the configuration and the version of the pantin that wrote it.
 * @throws InputError for a path that is no run, FormatError for a file that does not fit.
 */
export async function readConfig<T>(
  path: string,
  schema: z.ZodType<T>,
): Promise<{ config: T; version: string }> {
  const where = join(path, configFile)
  return parseConfig(await readText(path, where), where, schema)
}

const readConfigFile = async (path: string): Promise<string> =>
  (await readWhole(path, 'the configuration of a run', mostConfigBytes)).toString('utf8')

async function readText(path: string, where: string): Promise<string> {
  try {
    if (!(await stat(path)).isDirectory()) {
      throw new InputError({
        what: 'not a run',
        where: path,
        got: 'a file',
        expected: 'a run folder',
        remedy,
      })
    }
    await stat(where)
    return await readConfigFile(where)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw fileError(error, where, 'read')
    const address = addressError(path)
    if (address !== undefined) throw address
    const found = await exists(path)
    const got = found ? 'a folder without config.json' : 'no such folder'
    const expected = `a run folder, or a starter: ${starterNames()}`
    const meant = found ? undefined : nearestStarter(basename(path))
    throw new InputError({
      ...{ what: 'not a run', where: path, got, expected },
      remedy: meant === undefined ? remedy : `${remedy}; or did you mean the starter "${meant}"?`,
    })
  }
}

/** The machine that a run was made on: its times and rates mean something only together with it. */
export interface Machine {
  /** ISO 8601, UTC. */
  readonly time: string
  /** Version of Node. */
  readonly node: string
  /** Platform of Node, such as `linux`. */
  readonly platform: string
  /** Architecture of the processor, such as `x64`. */
  readonly arch: string
  /** Name and version of the operating system. */
  readonly os: string
  /** Name of the processor. */
  readonly cpu: string
  /** Cores that this process may use. */
  readonly cores: number
  /** Memory in bytes. */
  readonly memoryBytes: number
}

/** The machine of this process, now. */
export function describeMachine(): Machine {
  return {
    time: new Date().toISOString(),
    node: process.versions.node,
    platform: platform(),
    arch: arch(),
    os: release(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
  }
}

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
