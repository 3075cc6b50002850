// The files of a candidate, in a folder of its own: design.json, latency.json, and rung-0.json and so on. Each is written
// once. If a file is missing or torn, its content is made again.
import { join } from 'node:path'
import { z } from 'zod'
import { type Design, designSchema } from '../../zoo/design.ts'
import { outcomeSchema, readResult, writeResult } from '../attempt.ts'

/** A design of the search. */
export interface Candidate {
  /** Name of its folder: `reference`, `r` and a number for drawn ones, `m` and a number for mutations. */
  readonly id: string
  /** The candidate that it is a mutation of. */
  readonly parent?: string
  /** The design. */
  readonly design: Design
}

const milliseconds = z.number().positive()

const latencySchema = z.object({
  /** Median over the reference's. Both are timed in turn, so that a drift of the machine cancels. */
  ratio: z.number().positive(),
  /** Medians. */
  ms: milliseconds,
  /** Median of the reference, in milliseconds. */
  referenceMs: milliseconds,
  /** Timed runs. */
  rounds: z.int().positive(),
  /** The device. */
  device: z.string(),
  /** Counts of the detector as `info` gives them: before it is rewritten. */
  params: z.number().nonnegative(),
  /** Multiply-accumulates. */
  macs: z.number().nonnegative(),
})
/** What a candidate costs. */
export type CandidateCost = z.infer<typeof latencySchema>

const rungSchema = outcomeSchema(
  {
    /** Steps of training. */
    steps: z.int().positive(),
  },
  {
    /** Mean distance of the keypoints to the teacher's on the test frames, in units of [-1, 1]. */
    distance: z.number().nonnegative(),
    /** Mean difference of jacobians, if both have them. */
    jacobian: z.number().nonnegative().optional(),
  },
)
/** The result of a candidate on a rung. */
export type RungResult = z.infer<typeof rungSchema>

export const candidateFolder = (folder: string, id: string): string => join(folder, 'candidates', id)
/** The run folder of a rung. That of the last rung is kept. */
export const rungRun = (own: string, rung: number): string => join(own, `rung-${rung}`)

export const readDesign = (own: string) => readResult(join(own, 'design.json'), designSchema)
export const readCost = (own: string) => readResult(join(own, 'latency.json'), latencySchema)
export const readRung = (own: string, rung: number) => readResult(`${rungRun(own, rung)}.json`, rungSchema)

export const writeDesign = (own: string, design: Design) => writeResult(join(own, 'design.json'), design)
export const writeCost = (own: string, cost: CandidateCost) => writeResult(join(own, 'latency.json'), cost)
export const writeRung = (own: string, rung: number, result: RungResult) =>
  writeResult(`${rungRun(own, rung)}.json`, result)
