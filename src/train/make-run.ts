import { realpath } from 'node:fs/promises'
import type { z } from 'zod'
import { createRun, openRun, type Run } from '../run/run.ts'
import { describeDevices } from '../runtime/node.ts'
import { InputError } from '../util/errors.ts'
import { version } from '../util/version.ts'
import type { RunOptions } from './run-options.ts'

/** A run that is to be made or continued. */
export interface RunRequest<T extends object> {
  readonly config: T
  readonly schema: z.ZodType<T>
  readonly options: RunOptions & object
  /** What options say, by their names: a run is resumed only as it was begun. */
  facts(config: T): Readonly<Record<string, unknown>>
  /** Names of facts that were given, if not as options. */
  readonly always: readonly string[]
  /** Folders and files that training reads from, by the names of the options that say so. */
  readonly reads: Readonly<Record<string, string | undefined>>
}

/** Makes the run folder, or opens it to go on. @throws InputError where the folder or an option does not fit. */
export async function makeRun<T extends object>({
  config,
  schema,
  options,
  facts,
  always,
  reads,
}: RunRequest<T>): Promise<Run<T>> {
  const { out, resume, force = false } = options
  if (!resume) {
    await assertOthers(out, reads)
    const devices = await describeDevices()
    return createRun(out, { config, version, force, environment: { devices } })
  }
  const run = await openRun(out, schema, { write: true })
  const [begun, asked] = [facts(run.config), facts(config)].map((all) => new Map(Object.entries(all)))
  const given = new Set([...always, ...Object.keys(options)])
  for (const [name, now] of asked!) {
    const [got, expected] = [now, begun!.get(name)].map((fact) => JSON.stringify(fact))
    if (!given.has(name) || got === expected) continue
    run.close()
    throw new InputError({
      what: `the run was begun with another ${name}`,
      where: run.path,
      ...{ got: got ?? 'nothing', expected: expected ?? 'nothing' },
      remedy: 'resume it as it was begun, or train another run',
    })
  }
  return run
}

/** What training begins from would be gone before it is read. */
async function assertOthers(out: string, reads: RunRequest<object>['reads']): Promise<void> {
  const own = await realpath(out).catch(() => undefined)
  for (const [name, path] of Object.entries(reads)) {
    if (own === undefined || path === undefined || (await realpath(path)) !== own) continue
    throw new InputError({
      what: `the run that is named by ${name} would be replaced by this one`,
      where: path,
      remedy: 'choose another folder for the new run',
    })
  }
}
