import { readdir, readFile, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { z } from 'zod'
import { writeFileAtomic } from '../files/atomic.ts'
import { codeOf, fileError } from '../files/file-errors.ts'
import { isIncidental } from '../files/incidental.ts'
import { acquireLock, type Lock } from '../files/lock.ts'
import { makeFolder } from '../files/make-folder.ts'
import { FormatError, InputError, messageOf } from '../util/errors.ts'

/** Folders of long work that is taken up again: a plan, what came of it so far, and a lock. */

/** One kind of such work. */
export interface PlanKind<T extends object> {
  /** Name of the plan's file. */
  readonly file: string
  /** What people call the work, and the command that does it. */
  readonly noun: string
  readonly command: string
  readonly schema: z.ZodType<T>
  /** What `force` removes beside the plan, and nothing else. */
  readonly parts: readonly string[]
  /** What must be the same for work to go on. */
  settings(plan: T): object
  /** What to do where it is not, besides another folder. */
  readonly remedy: string
}

/**
 * Makes the folder of a plan, or takes up the one that is there, and locks it.
 *
 * @param options.force replace what is there
 * @throws InputError where the folder holds something else or a plan with other settings, or is in use; FormatError
 * where its plan cannot be read.
 */
export async function beginPlanned<T extends object>(
  kind: PlanKind<T>,
  path: string,
  plan: T,
  { force = false }: { readonly force?: boolean } = {},
): Promise<{ readonly folder: string; readonly lock: Lock }> {
  const folder = resolve(path)
  await assertOwn(kind, folder)
  let lock: Lock | undefined
  try {
    await makeFolder(folder)
    lock = acquireLock(join(folder, 'lock'))
    const removed = force ? [kind.file, ...kind.parts] : []
    for (const part of removed) await rm(join(folder, part), { recursive: true, force: true })
    const begun = await readPlanned(kind, folder)
    if (begun !== undefined) assertSame(kind, folder, begun, plan)
    if (!isDeepStrictEqual(begun, plan)) {
      await writeFileAtomic(join(folder, kind.file), `${JSON.stringify(plan, null, 2)}\n`)
    }
    return { folder, lock }
  } catch (error) {
    lock?.release()
    throw fileError(error, folder, 'written')
  }
}

/** The plan in a folder; undefined where there is none. @throws FormatError */
async function readPlanned<T extends object>(
  { file, noun, command, schema, remedy }: PlanKind<T>,
  folder: string,
): Promise<T | undefined> {
  const where = join(folder, file)
  try {
    return schema.parse(JSON.parse(await readFile(where, 'utf8')))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    if (codeOf(error) !== undefined) throw fileError(error, where, 'read')
    throw new FormatError({
      what: `the plan of this ${noun} cannot be read`,
      where,
      got: messageOf(error).slice(0, 200),
      expected: `what ${command} writes`,
      remedy: `undo changes made by hand, ${remedy}`,
    })
  }
}

/** Whatever its plan says: `force` may replace one that cannot be read. */
async function assertOwn<T extends object>(
  { file, noun, command }: PlanKind<T>,
  folder: string,
): Promise<void> {
  const names = await readdir(folder).catch((error: unknown): string[] => {
    if (codeOf(error) === 'ENOENT') return []
    throw fileError(error, folder, 'written')
  })
  if (names.includes(file) || names.every((name) => name === 'lock' || isIncidental(name))) return
  throw new InputError({
    what: `the folder is not empty and not a ${noun}`,
    where: folder,
    got: names.slice(0, 5).join(', '),
    expected: `a new or an empty folder, or one that ${command} has made`,
    remedy: 'choose another folder',
  })
}

function assertSame<T extends object>(
  { noun, remedy, settings }: PlanKind<T>,
  folder: string,
  begun: T,
  asked: T,
): void {
  const facts = [begun, asked].map((plan) => new Map<string, unknown>(Object.entries(settings(plan))))
  for (const name of new Set(facts.flatMap((fact) => [...fact.keys()]))) {
    const [expected, got] = facts.map((fact) => fact.get(name))
    if (isDeepStrictEqual(expected, got)) continue
    throw new InputError({
      what: `another ${noun} was begun here, with another ${name}`,
      where: folder,
      got: JSON.stringify(got) ?? 'nothing',
      expected: JSON.stringify(expected) ?? 'nothing',
      remedy: `run it as it was begun, ${remedy}`,
    })
  }
}
