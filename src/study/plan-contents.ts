import { stat } from 'node:fs/promises'
import { z } from 'zod'
import { openClips } from '../clips/source.ts'
import { hashDetector } from '../model/load-run.ts'
import { assertUsable } from '../train/frames.ts'
import { InputError } from '../util/errors.ts'

/** What stands behind the names in a plan: work is not taken up with other videos, or another teacher, of the same names. */

export const contentsSchema = z.object({
  /** A hash; undefined where there is no teacher. */
  teacher: z.string().optional(),
  /** Pixels, frames and bytes of each. */
  clips: z.array(z.string()),
  test: z.array(z.string()),
})
export type Contents = z.infer<typeof contentsSchema>

/** The part of a plan that names files. */
interface Named {
  readonly clips: readonly string[]
  readonly test: readonly string[]
  readonly teacher?: string | undefined
  readonly size: number
  readonly holdout: number
}

/** Looks at all that a plan names. @throws InputError for clips that cannot be used. */
export async function contentsOf({ clips, test, teacher, size, holdout }: Named): Promise<Contents> {
  if (test.length === 0 && holdout === 0) {
    throw new InputError({
      what: 'there is nothing to measure on',
      where: '--holdout',
      got: '0',
      remedy: 'leave out a part of the videos, or name others with --test',
    })
  }
  return {
    clips: await clipContents(clips, size, holdout),
    test: await clipContents(test, size, 0),
    ...(teacher !== undefined && { teacher: await hashDetector(teacher) }),
  }
}

async function clipContents(specs: readonly string[], size: number, holdout: number): Promise<string[]> {
  const clips = await openClips(specs)
  try {
    if (clips.length > 0) assertUsable(clips, { size, holdout })
    return await Promise.all(
      clips.map(async ({ width, height, frameCount }, i) => {
        // A puppet is no file: it is what its spec says.
        const bytes = await stat(specs[i]!).then(
          (file) => `, ${file.size} bytes`,
          () => '',
        )
        return `${width}x${height}, ${frameCount} frames${bytes}`
      }),
    )
  } finally {
    await Promise.all(clips.map((clip) => clip.close()))
  }
}

/** Contents as a plan's folder compares them, under names that its messages can say. */
export const contentFacts = ({ teacher, clips, test }: Contents) => ({
  ...{ 'content of the teacher': teacher, 'content of the videos': clips },
  'content of the test videos': test,
})
