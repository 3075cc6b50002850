import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '../../files/atomic.ts'
import { codeOf, fileError } from '../../files/file-errors.ts'
import { makeFolder } from '../../files/make-folder.ts'
import { type Design, designSchema } from '../../zoo/design.ts'

/**
 * What is on disk of a candidate, in a folder of its own: design.json, latency.json, and rung-0.json and so on, each
 * written once. One that is missing or torn is made anew.
 */

/** A design of the search. */
export interface Candidate {
  /** Name of its folder: `reference`, `r` and a number for drawn ones, `m` and a number for mutations. */
  readonly id: string
  /** The candidate that it is a mutation of. */
  readonly parent?: string
  readonly design: Design
}

const milliseconds = z.number().positive()

const latencySchema = z.object({
  /** Median over the reference's, both timed in turn: what drifts with the machine cancels. */
  ratio: z.number().positive(),
  /** Medians. */
  ms: milliseconds,
  referenceMs: milliseconds,
  rounds: z.int().positive(),
  device: z.string(),
  /** Of the detector, as `info` counts: before it is rewritten. */
  params: z.number().nonnegative(),
  macs: z.number().nonnegative(),
})
/** What a candidate costs. */
export type CandidateCost = z.infer<typeof latencySchema>

const rungSchema = z.discriminatedUnion('status', [
  z.object({
    status: z.literal('done'),
    steps: z.int().positive(),
    /** Mean distance of the keypoints to the teacher's on the test frames, in units of [-1, 1]. */
    distance: z.number().nonnegative(),
    /** Mean difference of jacobians, where there are any. */
    jacobian: z.number().nonnegative().optional(),
    /** That were measured on. */
    frames: z.int().positive(),
    /** The device that was really used. */
    device: z.string(),
    /** All of it: reading, training, measuring. */
    wallSeconds: z.number().nonnegative(),
  }),
  z.object({
    /** By its own fault, and it would again: training diverged. */
    status: z.literal('failed'),
    steps: z.int().positive(),
    reason: z.string(),
    wallSeconds: z.number().nonnegative(),
  }),
])
/** What a candidate came to on a rung. */
export type RungResult = z.infer<typeof rungSchema>

export const candidateFolder = (folder: string, id: string): string => join(folder, 'candidates', id)
/** The run of a rung; kept for the last one. */
export const rungRun = (own: string, rung: number): string => join(own, `rung-${rung}`)

export const readDesign = (own: string) => readJson(join(own, 'design.json'), designSchema)
export const readCost = (own: string) => readJson(join(own, 'latency.json'), latencySchema)
export const readRung = (own: string, rung: number) => readJson(`${rungRun(own, rung)}.json`, rungSchema)

export const writeDesign = (own: string, design: Design) => writeJson(join(own, 'design.json'), design)
export const writeCost = (own: string, cost: CandidateCost) => writeJson(join(own, 'latency.json'), cost)
export const writeRung = (own: string, rung: number, result: RungResult) =>
  writeJson(`${rungRun(own, rung)}.json`, result)

async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || error instanceof SyntaxError || error instanceof z.ZodError) {
      return undefined
    }
    throw fileError(error, path, 'read')
  }
}

async function writeJson(path: string, value: object): Promise<void> {
  await makeFolder(join(path, '..'))
  await writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`)
}
