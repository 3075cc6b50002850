// What `pantin bench` can be asked for. It stands apart from the measurements, which an installed package does not have.
import { InputError } from '../util/errors.ts'
import type { DeviceName } from './options.ts'

/**
 * The parts, each of which can be measured alone, in the order in which all are measured. `step` comes first: a child
 * process counts the memory that its parent held before as its own.
 */
export const partNames = ['step', 'detector', 'real-time', 'browser', 'growth'] as const
export type PartName = (typeof partNames)[number]
/** `faces` measures a model of the user's, so it is not among all parts. */
export type PartChoice = PartName | 'all' | 'faces'

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
  readonly from?: number
  readonly every?: number
  readonly crop?: string
  readonly out?: string
  readonly force?: true
}

/** Options that belong to one part. With `all`, options of its parts are accepted too. */
const partOf: Partial<Record<keyof BenchFlags, PartName | 'faces'>> = {
  plot: 'growth',
  series: 'growth',
  python: 'step',
  nets: 'step',
  minutes: 'real-time',
  from: 'faces',
  every: 'faces',
  crop: 'faces',
  out: 'faces',
}

/**
 * Refuses an option that the part does not use, and names where the part takes none.
 *
 * @param named a model and clips, for `faces`
 * @throws InputError
 */
export function checkBenchFlags(choice: PartChoice, named: readonly string[], flags: BenchFlags): void {
  for (const [flag, part] of Object.entries(partOf)) {
    if (!(flag in flags) || choice === part) continue
    if (choice !== 'all' || part === 'faces') throw misplaced(flag, part, choice)
  }
  if (choice === 'faces') {
    checkFaces(named, flags)
    return
  }
  if (named.length > 0) throw unexpected(named, choice)
  if (choice === 'detector') return
  if (flags.keep !== undefined) throw misplaced('keep', 'detector', choice)
  if (flags.device !== 'cpu') throw misplaced('device', 'detector', choice)
}

function checkFaces(named: readonly string[], flags: BenchFlags): void {
  if (flags.keep !== undefined) throw misplaced('keep', 'detector', 'faces')
  if (flags.rounds !== undefined) throw misplaced('rounds', 'all', 'faces')
  if (named.length >= 2) return
  throw new InputError({
    what: 'this part needs a model and clips of faces',
    where: 'pantin bench faces',
    got: named.length === 0 ? 'neither' : `${named[0]} alone`,
    expected: 'pantin bench faces RUN VIDEO...',
  })
}

const misplaced = (flag: string, part: PartChoice, choice: PartChoice): InputError =>
  new InputError({
    what: `this option is for pantin bench ${part}`,
    where: `--${flag}`,
    got: `pantin bench ${choice}`,
  })

const unexpected = (named: readonly string[], choice: PartChoice): InputError =>
  new InputError({
    what: 'a model and clips are for pantin bench faces',
    where: named[0]!,
    got: `pantin bench ${choice}`,
  })
