// A study as text, for the terminal and in pieces for the page, and as comma-separated values.
import { labelOf } from '../evaluate/measures.ts'
import { type Method, trialKey } from '../study/trials/plan.ts'
import type { Advice, CostName, TrainedComparison, TrainedRow } from '../study/trials/study.ts'
import { type Spread, type Summary, trialMeasure, trialMeasureNames } from '../study/trials/summary.ts'
import { counted } from '../util/errors.ts'
import { describeMeasurement } from './comparison-text.ts'
import {
  type Cell,
  formatCount,
  formatScaled,
  milliseconds,
  msCell,
  percent,
  table,
  toCsv,
} from './format.ts'

export const methodTitles: Readonly<Record<Method, string>> = {
  distilled: 'distilled from the teacher',
  scratch: 'trained from scratch, with a generator',
}

/** Columns of the tables. Those without a number are left out. */
const shown: Readonly<Record<Method, readonly string[]>> = {
  distilled: ['distance', 'jacobian', 'equivariance', 'jitter', 'landmarks', 'seconds'],
  scratch: ['ratio', 'l1', 'psnr', 'ssim', 'equivariance', 'landmarks', 'seconds'],
}

/** Columns of a method's table that hold a number. The measure that ranks networks comes first. */
export const shownMeasures = ({ rows }: TrainedComparison, method: Method): string[] =>
  shown[method].filter((name) => rows.some((row) => resultOf(row, method)?.measures[name] !== undefined))

export const resultOf = (row: TrainedRow, method: Method): Summary | undefined =>
  row.results.find((result) => result.method === method)

/** The end of the address of a row of the page. */
export const studyRowId = ({ net, skip }: TrainedRow, method: Method): string => `${method}-${net}-${skip}`

/** `0.0312 ± 0.0010`; for one seed, the number alone. */
export function spreadText({ mean, deviation }: Spread): string {
  const digits = Math.abs(mean) >= 100 ? 0 : Math.abs(mean) >= 10 ? 1 : Math.abs(mean) >= 1 ? 2 : 4
  return deviation === undefined
    ? mean.toFixed(digits)
    : `${mean.toFixed(digits)} ± ${deviation.toFixed(digits)}`
}

export const costText: Readonly<Record<CostName, (value: number) => string>> = {
  latency: (value) => `${milliseconds(value)} ms`,
  params: (value) => `${formatScaled(value)} parameters`,
  macs: (value) => formatScaled(value, 'MAC'),
}

/** What all networks were trained and measured on, in two lines. */
export function describePlan({ plan, trials, unfinished }: TrainedComparison): string {
  const { settings, nets, skips, seeds } = plan
  const { clips, test, teacher, steps, minutes, batch, holdout, size, keypoints } = settings
  const budget = steps === undefined ? `${minutes} minutes` : `${formatCount(steps)} steps`
  const on =
    test.length > 0 ? `measured on ${test.join(', ')}` : `measured on the last ${percent(holdout)} of each`
  return [
    `${counted(nets.length, 'network')}, skip ${skips.join(' and ')}, ${counted(seeds.length, 'seed')}: ` +
      `${trials.length - unfinished} of ${trials.length} trials done`,
    `${budget} of batch ${batch} each, ${keypoints} keypoints, ${size}x${size}, on ${clips.join(', ')}; ${on}` +
      (teacher === undefined ? '' : `; teacher ${teacher}`),
  ].join('\n')
}

/** Tables, the trials without a result and why, and which network is best for which budget. */
export function describeStudy(found: TrainedComparison): string {
  const { plan, rows } = found
  const timing = found.device === null ? '' : describeMeasurement(found)
  const notes = rows.some(({ reconstruction }) => reconstruction)
    ? '*: reconstruction, no code was published; ±: standard deviation over the seeds'
    : '±: standard deviation over the seeds'
  return [
    describePlan(found),
    timing,
    ...plan.methods.map((method) => `${methodTitles[method]}\n${methodTable(found, method)}`),
    notes,
    withoutResult(found)
      .map(([key, reason]) => `${key}: ${reason}`)
      .join('\n'),
    found.advice.flatMap((advice) => adviceLines(advice, plan.seeds.length)).join('\n'),
    found.unfinished === 0
      ? ''
      : `${counted(found.unfinished, 'trial')} ${found.unfinished === 1 ? 'has' : 'have'} no result yet: the same command goes on`,
  ]
    .filter(Boolean)
    .join('\n\n')
}

function methodTable(found: TrainedComparison, method: Method): string {
  const { rows, plan, device } = found
  const timed = device !== null
  const measures = shownMeasures(found, method)
  const head = [
    ...['network', 'skip'],
    ...(timed ? ['ms'] : []),
    ...['parameters', 'MACs', 'seeds'],
    ...measures.map((name) => trialMeasure(name).short),
  ]
  const body = rows.map((row) => {
    const result = resultOf(row, method)
    return [
      row.reconstruction ? `${row.net} *` : row.net,
      skipText(row),
      ...(timed ? [row.latency === null ? '' : milliseconds(row.latency.median)] : []),
      ...[formatScaled(row.params), formatScaled(row.macs)],
      seedsText(result, plan.seeds.length),
      ...measures.map((name) => {
        const spread = result?.measures[name]
        return spread === undefined ? '' : spreadText(spread)
      }),
    ]
  })
  return table(body, head)
}

/** `all`; `all = none` if both make the same detector. */
export const skipText = ({ skip, alike }: TrainedRow): string => [skip, ...alike].join(' = ')

/** `3`, `2 of 3`, `2 of 3, 1 failed`. */
export function seedsText(result: Summary | undefined, wanted: number): string {
  const { n = 0, failed = 0 } = result ?? {}
  const failures = failed === 0 ? '' : `, ${failed} failed`
  return n === wanted ? String(n) : `${n} of ${wanted}${failures}`
}

/** Everything without numbers, with the reason: networks left out, and trials that failed or ended early. */
export function withoutResult({ plan, trials }: TrainedComparison): [string, string][] {
  return [
    ...plan.skipped.map(({ net, reason }): [string, string] => [net, `left out: ${reason}`]),
    ...trials.flatMap(({ trial, result, problem }): [string, string][] => {
      if (result?.status === 'failed') return [[trialKey(trial), `failed: ${result.reason}`]]
      return problem === undefined
        ? []
        : [[trialKey(trial), `no result yet: ${problem.split('\n').join('; ')}`]]
    }),
  ]
}

/** Plain sentences: the most accurate network within each budget. */
export function adviceLines(advice: Advice, seeds: number): string[] {
  const { method, measure, cost } = advice
  const label = labelOf(trialMeasure(measure))
  const title = `${methodTitles[method]}, by ${label} against ${costTitles[cost]}:`
  return [title, ...adviceSentences(advice, seeds).map((sentence) => `  ${sentence}`)]
}

/** @param seeds number of seeds in the plan */
export function adviceSentences({ choices, cost, failing }: Advice, seeds: number): string[] {
  const sentences = choices.map((choice) => adviceSentence(choice, cost, seeds))
  if (failing.length > 0) sentences.push(`not recommended, since training failed: ${failing.join(', ')}`)
  return sentences
}

function adviceSentence(
  { name, from, to, error, enough }: Advice['choices'][number],
  cost: CostName,
  seeds: number,
): string {
  const text = costText[cost]
  const budget = to === undefined ? `with ${text(from)} or more` : `with ${text(from)} to under ${text(to)}`
  const near = enough === undefined ? '' : `; ${enough} is within the spread of the seeds, and cheaper`
  const part = error.n === seeds ? '' : `, ${error.n} of ${seeds} seeds`
  return `${budget}: ${name} (${spreadText(error)}${part}${near})`
}

export const costTitles: Readonly<Record<CostName, string>> = {
  latency: 'latency',
  params: 'parameters',
  macs: 'multiply-adds',
}

/** A study as `--json` prints it: without diagrams and layers. The result of a trial that is yet to be done is null. */
export function studyJson({ rows, trials, ...found }: TrainedComparison): object {
  return {
    ...found,
    trials: trials.map(({ result, ...rest }) => ({ ...rest, result: result ?? null })),
    rows: rows.map(({ diagram: _, layers: __, ...row }) => row),
  }
}

/** A study as CSV: one line for each network, skip and method, with mean and deviation over the seeds. */
export const studyCsv = (found: TrainedComparison): string =>
  toCsv(found.rows.flatMap((row) => row.results.map((result) => studyRecord(row, result, found))))

function studyRecord(
  row: TrainedRow,
  result: Summary,
  found: TrainedComparison,
): Readonly<Record<string, Cell>> {
  const { settings, seeds } = found.plan
  const measures = trialMeasureNames().flatMap((name): [string, Cell][] => {
    const spread = result.measures[name]
    return [
      [name, spread?.mean ?? null],
      [`${name}Deviation`, spread?.deviation ?? null],
    ]
  })
  return {
    net: row.net,
    skip: row.skip,
    sameAsSkip: row.alike.join(' '),
    method: result.method,
    title: row.title,
    year: row.year,
    reconstruction: row.reconstruction,
    seeds: seeds.length,
    done: result.n,
    failed: result.failed,
    frames: result.frames,
    params: row.params,
    macs: row.macs,
    activationBytes: row.activationBytes,
    ops: row.ops,
    medianMs: msCell(row.latency?.median),
    lowerQuartileMs: msCell(row.latency?.quartiles[0]),
    upperQuartileMs: msCell(row.latency?.quartiles[1]),
    ...Object.fromEntries(measures),
    budgetSteps: settings.steps ?? null,
    budgetMinutes: settings.minutes ?? null,
    batch: settings.batch,
    size: settings.size,
    keypoints: settings.keypoints,
    device: found.device,
    threads: found.threads,
    cpu: found.machine.cpu,
  }
}
