// `pantin search`: looks for a design that is fast on this machine and near a teacher.

import { join } from 'node:path'
import { formatCount, formatScaled, milliseconds, table } from '../../report/format.ts'
import type { Finalist, SearchReport } from '../../study/search/choose.ts'
import { settingsOptions } from '../../train/options.ts'
import { defined } from '../../util/options.ts'
import type { Scheduler } from '../../work/emit.ts'
import type { Design, Stage } from '../../zoo/design.ts'
import { type AddCommand, type Context, type Reporter, withCommonFlags, withPlugins } from '../context.ts'
import { emitCoordinator, type MachineFlags, openWorkforce, withMachineFlags } from '../machines.ts'
import {
  type DeviceName,
  deviceOption,
  type FitName,
  flagOf,
  positiveNumber,
  wholeNumber,
} from '../options.ts'
import { commandLine } from '../process.ts'

interface SearchFlags extends MachineFlags {
  readonly teacher: string
  readonly out: string
  readonly test?: readonly string[]
  readonly candidates?: number
  readonly mutations?: number
  readonly steps?: number
  readonly rungs?: number
  readonly latency?: number
  readonly macs?: number
  readonly losses?: string
  readonly batch?: number
  readonly holdout?: number
  readonly fit?: FitName
  readonly seed?: number
  readonly threads?: number
  readonly jobs?: number
  readonly device?: DeviceName
}

/** `pantin search VIDEO... --teacher RUN|FILE.onnx --out FOLDER`. */
export const addSearch: AddCommand = (program, call) => {
  const command = program
    .command('search')
    .summary('look for a design that is fast here and finds what a teacher finds')
    .description(
      'Draws designs of detectors, times each on this machine, and distils the designs that are fast enough, the best third of them three times as long, and so on; then tries changes of the best. The same command goes on where it was stopped.',
    )
    .argument('<video...>', 'videos to train on or folders of them, or puppet:SEED (puppet:1..20)')
    .requiredOption('-t, --teacher <run>', 'run folder, starter, or ONNX file that gives keypoints')
    .requiredOption('-o, --out <folder>', 'folder for the search and its results')
    .option('--test <video...>', 'videos to measure on (default: the ends of the others, see --holdout)')
    .option(
      '--candidates <n>',
      'designs on the first rung, ficelle the first of them (default: 27)',
      wholeNumber('--candidates', { min: 1, max: 10_000 }),
    )
    .option(
      '--mutations <n>',
      'changes of the best to try in the same way afterwards (default: a third of --candidates)',
      wholeNumber('--mutations', { max: 10_000 }),
    )
    .option('--steps <n>', 'of training on the first rung (default: 100)', wholeNumber('--steps', { min: 1 }))
    .option(
      '--rungs <n>',
      'each has a third of the designs and three times the steps of the one before (default: 3)',
      wholeNumber('--rungs', { min: 1, max: 8 }),
    )
    .option(
      '--latency <ratio>',
      "designs that take longer than this multiple of ficelle's time are not trained (default: 1)",
      positiveNumber('--latency'),
    )
    .option('--macs <n>', 'multiply-adds of a detector at most, such as 50e6', positiveNumber('--macs'))
    .option('--losses <list>', 'weights of losses, as for distil')
    .addOption(flagOf('batch', settingsOptions.batch))
    .addOption(flagOf('holdout', { ...settingsOptions.holdout, otherwise: '0.2; 0 with --test' }))
    .addOption(flagOf('fit', settingsOptions.fit))
    .option(
      '--jobs <n>',
      'trainings at a time, each on its share of the cores (default: 1)',
      wholeNumber('--jobs', { min: 1, max: 64 }),
    )
    .option('--seed <n>', 'another seed, other designs (default: 1)', wholeNumber('--seed'))
    .option(
      '--threads <n>',
      'of the CPU, within one op, where latency is measured (default: one for each core)',
      wholeNumber('--threads', { min: 1, max: 1024 }),
    )
    .addOption(deviceOption())
  withMachineFlags(command)
  withCommonFlags(withPlugins(command)).action(call(runSearch))
}

async function runSearch({ reporter, signal }: Context, named: string[], flags: SearchFlags): Promise<void> {
  const { losses: list, ...rest } = flags
  const { listClips } = await import('../../clips/source.ts')
  const test = flags.test && (await listClips(flags.test))
  const { teacher, out, candidates, mutations, steps, rungs, latency, macs } = rest
  const { batch, holdout, fit, seed, threads, jobs, device } = rest
  const { parseLosses } = await import('../training.ts')
  const losses = list === undefined ? undefined : parseLosses(list)
  if (flags.emit !== undefined) return emitSearch(reporter, flags.emit, flags)
  const { searchWith } = await import('../../study/search/search.ts')
  const { eta } = await import('../../study/search/plan.ts')
  const clips = await listClips(named)
  await reporter.prepare()
  const force = await openWorkforce(reporter, flags, out)
  const found = await searchWith(clips, {
    ...{ teacher, out, signal },
    ...defined({ runner: force.runner }),
    ...defined({ test, candidates, mutations, steps, rungs, latency, macs }),
    ...defined({ losses, batch, holdout, fit, seed, threads, jobs, device }),
    onProgress: (event) =>
      reporter.progress(
        event.phase === 'latency'
          ? { ...event, unit: 'designs' }
          : // Trainings differ in length: their number a second says nothing.
            { ...event, unit: 'trainings', rate: 0, ...defined({ now: force.remote?.now() ?? event.now }) },
      ),
  }).finally(() => force.close())
  reporter.result(searchJson(found), () =>
    describeSearch(found, eta, (design) => distilCommand({ clips: named, teacher }, design)),
  )
  // Every training failed: scripts have to know.
  if (found.best === undefined && !found.interrupted) process.exitCode = 1
}

/** A search makes its trainings as it goes on. The elements of the job are workers, which wait for them. */
async function emitSearch(reporter: Reporter, emit: Scheduler, flags: SearchFlags): Promise<void> {
  const { out, store, candidates = 27 } = flags
  const words = process.argv.slice(2)
  const at = words.findIndex((word) => word.startsWith('--emit'))
  words.splice(at, words[at] === '--emit' ? 2 : 1)
  const { job, tasks, text } = await emitCoordinator(emit, { out, store, tasks: candidates }, words)
  reporter.result({ job, tasks }, () => text)
}

/** Names as they were given on the command line: a folder of clips is one name there, and many in the plan. */
export interface SearchNames {
  readonly clips: readonly string[]
  readonly teacher: string
}

/** Trains a design on the search's own clips. */
export const distilCommand = ({ clips, teacher }: SearchNames, design: string): string =>
  commandLine([
    ...['pantin', 'distil', ...clips, '--teacher', teacher],
    ...['--net', 'ficelle', '--design', design, '--out', 'RUN'],
  ])

/** The file that `--design` takes. */
const bestFile = ({ folder, best }: SearchReport) => (best === undefined ? null : join(folder, 'best.json'))

function searchJson(found: SearchReport): object {
  const { folder, best, finalists, against, tried, dropped, trainings, interrupted } = found
  return {
    out: folder,
    best: best === undefined ? null : finalistJson(best),
    design: bestFile(found),
    finalists: finalists.map(finalistJson),
    against: against ?? null,
    ...{ tried: tried.length, dropped, trainings, interrupted },
  }
}

const finalistJson = ({ id, parent, cost, distance, jacobian, onFront, run, design }: Finalist) => ({
  ...{ id, parent: parent ?? null, ...cost },
  ...{ distance, jacobian: jacobian ?? null, onFront, run, design },
})

/**
 * The front as a table, the best design as JSON, and how to go on.
 *
 * @param eta by what a rung's trainings are longer than those of the rung before
 * @param distilCommand the command that trains the design of a file
 */
function describeSearch(found: SearchReport, eta: number, distilCommand: (design: string) => string): string {
  const { tried, dropped, trainings, best, against, interrupted } = found
  const counts = [
    `${formatCount(tried.length)} designs tried, ${formatCount(dropped)} too slow`,
    `${formatCount(trainings.done)} of ${formatCount(trainings.total)} trainings done`,
  ].join('; ')
  return [
    counts,
    best === undefined ? 'no design has come to the last rung yet' : frontTable(found, eta),
    against === undefined
      ? ''
      : `after ${formatCount(against.steps)} steps: ${four(against.best)} from the teacher, ficelle's own design ${four(against.reference)}`,
    best === undefined ? '' : `best design, in ${bestFile(found)}:\n${JSON.stringify(best.design)}`,
    interrupted
      ? 'stopped: the same command goes on'
      : best && `train it with: ${distilCommand(bestFile(found)!)}`,
  ]
    .filter(Boolean)
    .join('\n\n')
}

function frontTable({ finalists, plan }: SearchReport, eta: number): string {
  const shown = finalists.filter(({ onFront }) => onFront)
  const body = shown.map(({ id, parent, cost, distance, jacobian, design }) => [
    parent === undefined ? id : `${id} of ${parent}`,
    four(distance),
    jacobian === undefined ? '' : four(jacobian),
    cost.ratio.toFixed(2),
    milliseconds(cost.ms),
    formatScaled(cost.params),
    formatScaled(cost.macs),
    designText(design),
  ])
  const last = plan.steps * eta ** (plan.rungs - 1)
  return [
    table(body, ['design', 'to teacher', 'jacobian', 'latency', 'ms', 'parameters', 'MACs', 'made of']),
    `of ${finalists.length} designs with ${formatCount(last)} steps, the designs that no other beats in distance and latency; latency over ficelle's`,
  ].join('\n')
}

const four = (value: number) => value.toFixed(4)

/** `32 | rep-vgg 64 128x2 | sum 64 32`: the stem, stages with their blocks, the decoder. */
export function designText({ stem, stages, decoder }: Design): string {
  const first =
    stem.kind === 'convolutions' ? stem.widths.join(' ') : `${stem.side}x${stem.side} squares ${stem.width}`
  const parts = stages.map((stage, i) => {
    const same = stages[i - 1]?.block === stage.block
    return `${same ? '' : `${stage.block} `}${stageText(stage)}`
  })
  const { widths, depth, skips } = decoder
  const last = widths.length === 0 ? 'none' : `${skips} ${widths.join(' ')}${depth === 1 ? '' : ` x${depth}`}`
  return [first, parts.join(' '), last].join(' | ')
}

/** Width, depth if it is not 1, and what is unusual. */
const stageText = ({ stride, width, depth, dilations }: Stage) =>
  `${width}${depth === 1 ? '' : `x${depth}`}${stride === 1 ? ' same' : ''}${dilations.length === 0 ? '' : ` d${dilations.join(',')}`}`
