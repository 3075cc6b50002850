import { readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { writeFileAtomic } from '../../store/atomic.ts'
import { codeOf, fileError } from '../../store/file-errors.ts'
import { acquireLock, type Lock } from '../../store/lock.ts'
import { makeFolder } from '../../store/make-folder.ts'
import { isTemporary } from '../../store/temporaries.ts'
import { FormatError, InputError, messageOf } from '../../util/errors.ts'
import { planSchema, type SearchPlan } from './plan.ts'

/** Folders of searches: search.json, candidates/, teacher/, best.json, and a lock. */

/**
 * Makes the folder of a search, or takes up the one that is there, and locks it.
 *
 * @throws InputError where the folder holds something else or another search, or is in use; FormatError where its plan
 * cannot be read.
 */
export async function beginSearch(
  path: string,
  plan: SearchPlan,
): Promise<{ readonly folder: string; readonly lock: Lock }> {
  const folder = resolve(path)
  await assertOwn(folder)
  let lock: Lock | undefined
  try {
    await makeFolder(folder)
    lock = acquireLock(join(folder, 'lock'))
    const begun = await readPlan(folder)
    if (begun === undefined) {
      await writeFileAtomic(join(folder, planName), `${JSON.stringify(plan, null, 2)}\n`)
    } else assertSame(folder, begun, plan)
    return { folder, lock }
  } catch (error) {
    lock?.release()
    throw fileError(error, folder, 'written')
  }
}

const planName = 'search.json'

async function readPlan(folder: string): Promise<SearchPlan | undefined> {
  const where = join(folder, planName)
  try {
    return planSchema.parse(JSON.parse(await readFile(where, 'utf8')))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    if (codeOf(error) !== undefined) throw fileError(error, where, 'read')
    throw new FormatError({
      what: 'the plan of this search cannot be read',
      where,
      got: messageOf(error).slice(0, 200),
      expected: 'what search writes',
      remedy: 'undo changes made by hand, or choose another folder',
    })
  }
}

async function assertOwn(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: unknown): string[] => {
    if (codeOf(error) === 'ENOENT') return []
    throw fileError(error, folder, 'written')
  })
  if (names.includes(planName) || names.every((name) => name === 'lock' || isTemporary(name))) return
  throw new InputError({
    what: 'the folder is not empty and not a search',
    where: folder,
    got: names.slice(0, 5).join(', '),
    expected: 'a new or an empty folder, or one that search has made',
    remedy: 'choose another folder',
  })
}

function assertSame(folder: string, begun: SearchPlan, asked: SearchPlan): void {
  const [there, now] = [begun, asked].map((plan) => new Map<string, unknown>(Object.entries(plan)))
  for (const name of new Set([...there!.keys(), ...now!.keys()])) {
    const [expected, got] = [there!.get(name), now!.get(name)]
    if (isDeepStrictEqual(expected, got)) continue
    throw new InputError({
      what: `another search was begun here, with another ${name}`,
      where: folder,
      got: JSON.stringify(got) ?? 'nothing',
      expected: JSON.stringify(expected) ?? 'nothing',
      remedy: 'run it as it was begun, or choose another folder',
    })
  }
}
