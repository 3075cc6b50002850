// What `pantin bench` can be asked for. It stands apart from the measurements, which an installed package does not have.
import { InputError } from '../util/errors.ts'
import type { DeviceName } from './options.ts'

/**
 * The parts, each of which can be measured alone, in the order in which all are measured. `step` comes first: a child
 * process counts the memory that its parent held before as its own.
 */
export const partNames = ['step', 'detector', 'real-time', 'browser', 'growth'] as const
export type PartName = (typeof partNames)[number]
/** Parts that train, or measure clips or models of the user's. They are not among all parts. */
export const partsOfClips = ['faces', 'quality', 'compress'] as const
export type PartChoice = PartName | 'all' | (typeof partsOfClips)[number]

/** The series of the part `growth`: what is timed, and what grows. */
export const growthNames = [
  'step.batch',
  'step.size',
  'step.replicas',
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
  readonly target?: number
  readonly limit?: number
  readonly interval?: number
  readonly clips?: string
  readonly steps?: number
  readonly roundedSteps?: number
  readonly force?: true
}

/** Options that belong to some parts. With `all`, options of its parts are accepted too. */
const partsWith: Partial<Record<keyof BenchFlags, readonly Exclude<PartChoice, 'all'>[]>> = {
  plot: ['growth'],
  series: ['growth'],
  python: ['step', 'quality', 'compress'],
  nets: ['step', 'compress'],
  minutes: ['real-time'],
  from: ['faces'],
  every: ['faces'],
  crop: ['faces'],
  out: ['faces'],
  target: ['quality'],
  limit: ['quality'],
  interval: ['quality'],
  clips: ['compress'],
  steps: ['compress'],
  roundedSteps: ['compress'],
}

/**
 * Refuses an option that the part does not use, and names where the part takes none.
 *
 * @param named a model and clips, for `faces`; a clip and options of training, for `quality`; runs, for `compress`
 * @throws InputError
 */
export function checkBenchFlags(choice: PartChoice, named: readonly string[], flags: BenchFlags): void {
  for (const [flag, parts] of Object.entries(partsWith)) {
    if (!(flag in flags) || parts.some((part) => part === choice)) continue
    const inAll = parts.some((part) => partNames.some((name) => name === part))
    if (choice !== 'all' || !inAll) throw misplaced(flag, parts[0]!, choice)
  }
  if (choice === 'faces') {
    checkFaces(named, flags)
    return
  }
  if (choice === 'quality') {
    checkQuality(named, flags)
    return
  }
  if (choice === 'compress') {
    checkCompress(named, flags)
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

/** Both sides take all cores, and pantin's options are those of training. */
function checkQuality([clip, ...words]: readonly string[], flags: BenchFlags): void {
  if (flags.rounds !== undefined) throw misplaced('rounds', 'all', 'quality')
  if (flags.threads !== undefined) throw misplaced('threads', 'all', 'quality')
  if (flags.device !== 'cpu') throw misplaced('device', 'detector', 'quality')
  if (clip !== undefined && (words.length === 0 || words[0]!.startsWith('-'))) return
  throw new InputError({
    what: 'this part needs one clip',
    where: 'pantin bench quality',
    got: clip === undefined ? 'none' : [clip, ...words].join(' '),
    expected: 'pantin bench quality VIDEO, and options of pantin train after --',
  })
}

/** Networks learn before they are measured, and runs are measured as they are. Eight bits are for CPUs. */
function checkCompress([run]: readonly string[], flags: BenchFlags): void {
  if (flags.device !== 'cpu') throw misplaced('device', 'detector', 'compress')
  for (const flag of ['nets', 'steps'] as const) {
    if (run === undefined || flags[flag] === undefined) continue
    throw new InputError({
      what: 'this option is for networks that learn first, and runs are measured as they are',
      where: `--${flag}`,
      got: `the run ${run}`,
      remedy: `leave out --${flag}, or the runs`,
    })
  }
}

const misplaced = (flag: string, part: PartChoice, choice: PartChoice): InputError =>
  new InputError({
    what: `this option is for pantin bench ${part}`,
    where: `--${flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
    got: `pantin bench ${choice}`,
  })

const unexpected = (named: readonly string[], choice: PartChoice): InputError =>
  new InputError({
    what: 'models and clips are for pantin bench faces, quality and compress',
    where: named[0]!,
    got: `pantin bench ${choice}`,
  })
