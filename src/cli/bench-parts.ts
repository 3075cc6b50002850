// What `pantin bench` can be asked for. It stands apart from the measurements, which an installed package does not have.
import { InputError } from '../util/errors.ts'
import type { DeviceName } from './options.ts'

/**
 * The parts, each of which can be measured alone, in the order in which all are measured. `step` comes first: a child
 * process counts the memory that its parent held before as its own.
 */
export const partNames = ['step', 'detector', 'real-time', 'browser', 'growth'] as const
export type PartName = (typeof partNames)[number]
export type PartChoice = PartName | 'all'

/** The series of the part `growth`: what is timed, and what grows. */
export const growthNames = [
  'step.batch',
  'step.size',
  'detector.size',
  'detector.keypoints',
  'track.seconds',
] as const
export type GrowthName = (typeof growthNames)[number]

/** The options of `pantin bench`. */
export interface BenchFlags {
  readonly csv?: string
  readonly plot?: string
  readonly rounds?: number
  readonly threads?: number
  readonly python?: string
  readonly nets?: string
  readonly series?: string
  readonly minutes?: number
  readonly keep?: string
  readonly device: DeviceName
  readonly force?: true
}

/** Options that belong to one part. With `all`, these are accepted too. */
const partOf: Partial<Record<keyof BenchFlags, PartName>> = {
  plot: 'growth',
  series: 'growth',
  python: 'step',
  nets: 'step',
  minutes: 'real-time',
}

/** Refuses an option that the part does not use. @throws InputError */
export function checkBenchFlags(choice: PartChoice, flags: BenchFlags): void {
  for (const [flag, part] of Object.entries(partOf)) {
    if (flag in flags && choice !== 'all' && choice !== part) throw misplaced(flag, part, choice)
  }
  if (choice === 'detector') return
  if (flags.keep !== undefined) throw misplaced('keep', 'detector', choice)
  if (flags.device !== 'cpu') throw misplaced('device', 'detector', choice)
}

const misplaced = (flag: string, part: PartName, choice: PartChoice): InputError =>
  new InputError({
    what: `this option is for pantin bench ${part}`,
    where: `--${flag}`,
    got: `pantin bench ${choice}`,
  })
