// The folder of long work and its plan: work is resumed from it only if the plan and the content behind its names are the
// same. What the plans of studies and searches share: which clips and which teacher they use.
import { readdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { openClips } from '../clips/source.ts'
import { writeFileAtomic } from '../files/atomic.ts'
import { codeOf, fileError } from '../files/file-errors.ts'
import {
  assertResumable,
  exists,
  type Facts,
  isFolder,
  isIgnorable,
  makeFolder,
  stampOf,
} from '../files/folders.ts'
import { awaitLock, type Lock } from '../files/lock.ts'
import { readWhole } from '../files/read.ts'
import { hashDetector } from '../model/open-model.ts'
import { assertUsable } from '../train/frames.ts'
import { settingsOptions } from '../train/options.ts'
import { FormatError, InputError, messageOf, PantinError } from '../util/errors.ts'
import { schemaOf } from '../util/option-schema.ts'
import { filedFile, schedulerFile } from './emit.ts'

/** One kind of work that has a plan and a folder. */
export interface PlanKind<T extends object> {
  /** Name of the plan's file. */
  readonly file: string
  /** Names of the work and of the command that does it, for messages. */
  readonly noun: string
  readonly command: string
  readonly schema: z.ZodType<T>
  /** Names in the folder that `force` removes besides the plan. */
  readonly parts: readonly string[]
  /** What must be the same for work to be resumed. */
  facts(plan: T): Facts
  /** How to begin again if it is not the same. */
  readonly remedy: string
}

const lockFile = 'lock'

/** Names of the files at the top of a folder that are about the whole work, and that no result may have. */
export const namesOfWhole = ({ file }: { readonly file: string }): readonly string[] => [
  ...[file, lockFile, filedFile],
  ...Object.values(schedulerFile),
]

/**
 * Makes the folder of a plan, or opens the existing one to resume its work, and locks it.
 *
 * @param options.force replace what is there
 * @throws InputError where the folder holds something else or a plan with other settings, or is in use; FormatError
 * where its plan cannot be read.
 */
export async function openPlanned<T extends object>(
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
    lock = await awaitLock(join(folder, lockFile))
    const removed = force ? [kind.file, ...kind.parts] : []
    for (const part of removed) await rm(join(folder, part), { recursive: true, force: true })
    const begun = await readPlan(kind, folder)
    if (begun !== undefined) {
      const { noun, remedy, facts } = kind
      assertResumable(facts(begun), facts(plan), {
        what: (name) => `another ${noun} was begun here, with another ${name}`,
        where: folder,
        remedy: `run it as it was begun, ${remedy}`,
      })
    }
    if (!isDeepStrictEqual(begun, plan)) {
      await writeFileAtomic(join(folder, kind.file), `${JSON.stringify(plan, null, 2)}\n`)
    }
    return { folder, lock }
  } catch (error) {
    lock?.release()
    throw fileError(error, folder, 'written')
  }
}

/** The plan in a folder; undefined if there is none. @throws FormatError */
export async function readPlan<T extends object>(
  { file, noun, command, schema, remedy }: PlanKind<T>,
  folder: string,
): Promise<T | undefined> {
  const where = join(folder, file)
  if (!(await exists(where))) return undefined
  try {
    return schema.parse(JSON.parse((await readWhole(where, 'a plan', 1 << 26)).toString('utf8')))
  } catch (error) {
    if (error instanceof PantinError) throw error
    throw new FormatError({
      what: `the plan of this ${noun} cannot be read`,
      where,
      got: messageOf(error).slice(0, 200),
      expected: `a plan that ${command} has written`,
      remedy: `undo changes made by hand, ${remedy}`,
    })
  }
}

/** The plan itself is not read: `force` may replace one that cannot be read. */
async function assertOwn<T extends object>(
  { file, noun, command }: PlanKind<T>,
  folder: string,
): Promise<void> {
  const names = await readdir(folder).catch((error: unknown): string[] => {
    if (codeOf(error) === 'ENOENT') return []
    throw fileError(error, folder, 'written')
  })
  if (names.includes(file) || names.every((name) => name === lockFile || isIgnorable(name))) return
  throw new InputError({
    what: `the folder is not empty and not a ${noun}`,
    where: folder,
    got: names.slice(0, 5).join(', '),
    expected: `a new or an empty folder, or one that ${command} has made`,
    remedy: 'choose another folder',
  })
}

/** The part of every plan that says what is trained on, what is measured on, and what detectors see and give. */
export const planShape = {
  /** Videos or puppet specs, as given. */
  clips: z.array(z.string()).min(1),
  /** Clips to measure on. If the list is empty, the held-out ends of `clips` are measured on. */
  test: z.array(z.string()),
  /** Side of the frames, in pixels. */
  size: z.int().positive(),
  /** Number of keypoints, K. */
  keypoints: z.int().positive().max(100),
  /** Whether detectors give jacobians. */
  jacobian: z.boolean(),
  /** Frames or frame pairs of a training step. */
  batch: z.int().positive(),
  /** End of each clip that is left out of training, as a fraction. */
  holdout: z.number().min(0).lt(1),
  /** How clips are made square. */
  fit: schemaOf(settingsOptions.fit),
  /** The device that trains and measures. */
  device: schemaOf(settingsOptions.device),
}

type PlanData = { readonly [K in keyof typeof planShape]: z.infer<(typeof planShape)[K]> }

/** The clips that detectors are measured on, and where in each clip measuring begins, as a fraction. */
export const measuredOn = ({ clips, test, holdout }: Pick<PlanData, 'clips' | 'test' | 'holdout'>) =>
  test.length > 0 ? { clips: test, from: 0 } : { clips, from: 1 - holdout }

/** The content behind the names of a plan: other videos or another teacher of the same names are another study. */
export const contentsSchema = z.object({
  /** A hash; undefined if there is no teacher. */
  teacher: z.string().optional(),
  /** Pixels, frames and bytes of each clip, and when a folder of pictures was changed. */
  clips: z.array(z.string()),
  /** The same of each clip to measure on. */
  test: z.array(z.string()),
})
export type Contents = z.infer<typeof contentsSchema>

/** Opens every file that a plan names. @throws InputError for clips that cannot be used. */
export async function contentsOf({
  clips,
  test,
  teacher,
  holdout,
}: Pick<PlanData, 'clips' | 'test' | 'holdout'> & {
  readonly teacher?: string | undefined
}): Promise<Contents> {
  if (test.length === 0 && holdout === 0) {
    throw new InputError({
      what: 'there is nothing to measure on',
      where: '--holdout',
      got: '0',
      remedy: 'hold out the end of each video, or name other videos with --test',
    })
  }
  return {
    clips: await clipContents(clips, holdout),
    test: await clipContents(test, 0),
    ...(teacher !== undefined && { teacher: await hashDetector(teacher) }),
  }
}

async function clipContents(specs: readonly string[], holdout: number): Promise<string[]> {
  const clips = await openClips(specs)
  try {
    if (clips.length > 0) assertUsable(clips, { holdout })
    return await Promise.all(
      clips.map(async ({ width, height, frameCount }, i) => {
        // A puppet is no file: its spec is its content.
        const { bytes, modified } = await stampOf(specs[i]!)
        const size = bytes < 0 ? '' : `, ${bytes} bytes`
        // Other numbered pictures often have as many bytes.
        const time = (await isFolder(specs[i]!)) ? `, changed ${new Date(modified).toISOString()}` : ''
        return `${width}x${height}, ${frameCount} frames${size}${time}`
      }),
    )
  } finally {
    await Promise.all(clips.map((clip) => clip.close()))
  }
}

/** Contents as facts of a plan, under names that messages can show. */
export const contentFacts = ({ teacher, clips, test }: Contents): Facts => ({
  ...{ 'content of the teacher': teacher, 'content of the videos': clips },
  'content of the test videos': test,
})
