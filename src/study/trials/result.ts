import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '../../files/atomic.ts'
import { codeOf, fileError } from '../../files/file-errors.ts'
import { trialSchema } from './plan.ts'

/** result.json of a trial: how it ended. A trial without one is yet to be done. */

const doneSchema = z.object({
  status: z.literal('done'),
  trial: trialSchema,
  /** By the names of measures.ts; what was not measured is missing. */
  measures: z.record(z.string(), z.number()),
  /** Frames that were measured on. */
  frames: z.int().positive(),
  /** The device that was really used. */
  device: z.string(),
  /** All of it: reading, training, measuring. */
  wallSeconds: z.number().nonnegative(),
})

const failedSchema = z.object({
  status: z.literal('failed'),
  trial: trialSchema,
  reason: z.string(),
  wallSeconds: z.number().nonnegative(),
})

const resultSchema = z.discriminatedUnion('status', [doneSchema, failedSchema])

export type DoneTrial = z.infer<typeof doneSchema>
/** It failed by its own fault, and would again: training diverged. */
export type FailedTrial = z.infer<typeof failedSchema>
export type TrialResult = DoneTrial | FailedTrial

const resultPath = (folder: string) => join(folder, 'result.json')

/** @throws InputError, EnvironmentError where it cannot be written. */
export function writeResult(folder: string, result: TrialResult): Promise<void> {
  return writeFileAtomic(resultPath(folder), `${JSON.stringify(result, null, 2)}\n`)
}

/** A trial's result; undefined where there is none, or none that this version reads: the trial is done anew. */
export async function readResult(folder: string): Promise<TrialResult | undefined> {
  const path = resultPath(folder)
  try {
    return resultSchema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || error instanceof SyntaxError || error instanceof z.ZodError) {
      return undefined
    }
    throw fileError(error, path, 'read')
  }
}
