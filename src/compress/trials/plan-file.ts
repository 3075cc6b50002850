import { readdir, readFile, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { writeFileAtomic } from '../../store/atomic.ts'
import { codeOf, fileError } from '../../store/file-errors.ts'
import { acquireLock, type Lock } from '../../store/lock.ts'
import { makeFolder } from '../../store/make-folder.ts'
import { isTemporary } from '../../store/temporaries.ts'
import { FormatError, InputError, messageOf } from '../../util/errors.ts'
import { planSchema, type TrialPlan, type TrialSettings } from './plan.ts'

/** Folders of comparisons: plan.json, trials/, teacher/, and a lock. */

const planPath = (folder: string) => join(folder, 'plan.json')

/** What `force` removes, and nothing else. */
const parts = ['plan.json', 'trials', 'teacher']

/**
 * Makes the folder of a comparison, or takes up the one that is there, and locks it. A plan goes on where the one that
 * is there has the same settings: it may have more networks, skips, methods or seeds, or fewer, for no trial depends
 * on another.
 *
 * @param options.force replace the comparison that is there
 * @throws InputError where the folder holds something else or a plan with other settings, or is in use; FormatError
 * where its plan cannot be read.
 */
export async function beginPlan(
  path: string,
  plan: TrialPlan,
  { force = false }: { readonly force?: boolean } = {},
): Promise<{ readonly folder: string; readonly lock: Lock }> {
  const folder = resolve(path)
  await assertOwn(folder)
  let lock: Lock | undefined
  try {
    await makeFolder(folder)
    lock = acquireLock(join(folder, 'lock'))
    if (force) for (const part of parts) await rm(join(folder, part), { recursive: true, force: true })
    const begun = await readPlan(folder)
    if (begun !== undefined) assertSame(folder, begun.settings, plan.settings)
    if (!isDeepStrictEqual(begun, plan)) {
      await writeFileAtomic(planPath(folder), `${JSON.stringify(plan, null, 2)}\n`)
    }
    return { folder, lock }
  } catch (error) {
    lock?.release()
    throw fileError(error, folder, 'written')
  }
}

/** The plan of a comparison; undefined where there is none. @throws FormatError */
export async function readPlan(folder: string): Promise<TrialPlan | undefined> {
  const where = planPath(folder)
  try {
    // Through JSON once more: a plan that is undefined in places compares as it was written.
    return planSchema.parse(JSON.parse(await readFile(where, 'utf8')))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    if (codeOf(error) !== undefined) throw fileError(error, where, 'read')
    throw new FormatError({
      what: 'the plan of this comparison cannot be read',
      where,
      got: messageOf(error).slice(0, 200),
      expected: 'what compare --train writes',
      remedy: 'undo changes made by hand, or begin anew with --force',
    })
  }
}

/** Whatever its plan says: --force may replace one that cannot be read. */
async function assertOwn(folder: string): Promise<void> {
  let names: string[]
  try {
    names = await readdir(folder)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw fileError(error, folder, 'written')
  }
  if (names.includes('plan.json') || names.every((name) => name === 'lock' || isTemporary(name))) return
  throw new InputError({
    what: 'the folder is not empty and not a comparison',
    where: folder,
    got: names.slice(0, 5).join(', '),
    expected: 'a new or an empty folder, or one that compare --train has made',
    remedy: 'choose another folder',
  })
}

function assertSame(folder: string, begun: TrialSettings, asked: TrialSettings): void {
  const facts = [begun, asked].map((settings) => new Map<string, unknown>(Object.entries(settings)))
  const names = new Set(facts.flatMap((fact) => [...fact.keys()]))
  for (const name of names) {
    const [expected, got] = facts.map((fact) => fact.get(name))
    if (isDeepStrictEqual(expected, got)) continue
    throw new InputError({
      what: `another comparison was begun here, with another ${name}`,
      where: folder,
      got: JSON.stringify(got) ?? 'nothing',
      expected: JSON.stringify(expected) ?? 'nothing',
      remedy: 'run it as it was begun, replace it with --force, or choose another folder',
    })
  }
}
