import type { Gathered, Spread } from '../study/trials/gather.ts'
import { type MeasureName, measureKinds } from '../study/trials/measures.ts'
import { type Method, trialKey } from '../study/trials/plan.ts'
import type { Advice, CostName, TrainedComparison, TrainedRow } from '../study/trials/report.ts'
import { describeMeasurement, milliseconds } from './comparison-text.ts'
import { formatCount, formatScaled, table } from './format.ts'

/** A comparison of trained networks as text: on the terminal, and in pieces on the page. */

export const methodTitles: Readonly<Record<Method, string>> = {
  distilled: 'distilled from the teacher',
  scratch: 'trained from scratch, with a generator',
}

/** Columns of the tables, where anything was measured. */
const shown: Readonly<Record<Method, readonly MeasureName[]>> = {
  distilled: ['distance', 'jacobian', 'equivariance', 'jitter', 'landmarks', 'seconds'],
  scratch: ['ratio', 'l1', 'psnr', 'ssim', 'equivariance', 'landmarks', 'seconds'],
}

/** Columns of a method's table that hold anything, the one that it is ranked by first. */
export const shownMeasures = ({ rows }: TrainedComparison, method: Method): MeasureName[] =>
  shown[method].filter((name) => rows.some((row) => resultOf(row, method)?.measures[name] !== undefined))

export const resultOf = (row: TrainedRow, method: Method): Gathered | undefined =>
  row.results.find((result) => result.method === method)

/** What the address of a row of the page ends with. */
export const trainedId = ({ net, skip }: TrainedRow, method: Method): string => `${method}-${net}-${skip}`

/** `0.0312 ± 0.0010`; of one seed, the number alone. */
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

/** What all were trained on, in a line or two. */
export function describePlan({ plan, trials, unfinished }: TrainedComparison): string {
  const { settings, nets, skips, seeds } = plan
  const { clips, test, teacher, steps, minutes, batch, holdout, size, keypoints } = settings
  const budget = steps === undefined ? `${minutes} minutes` : `${formatCount(steps)} steps`
  const on =
    test.length > 0 ? `measured on ${test.join(', ')}` : `measured on the last ${percent(holdout)} of each`
  return [
    `${nets.length} networks, skip ${skips.join(' and ')}, ${seeds.length} seed${seeds.length === 1 ? '' : 's'}: ` +
      `${trials.length - unfinished} of ${trials.length} trials done`,
    `${budget} of batch ${batch} each, ${keypoints} keypoints, ${size}x${size}, on ${clips.join(', ')}; ${on}` +
      (teacher === undefined ? '' : `; teacher ${teacher}`),
  ].join('\n')
}

/** Tables, what has no result and why, and which network for which budget. */
export function describeTrained(found: TrainedComparison): string {
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
    found.unfinished === 0 ? '' : `${found.unfinished} trials have no result yet: the same command goes on`,
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
    ...measures.map((name) => measureKinds[name].short),
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

/** `all`; `all = none` where both are the same detector. */
export const skipText = ({ skip, alike }: TrainedRow): string => [skip, ...alike].join(' = ')

/** `3`, `2 of 3`, `2 of 3, 1 failed`. */
export function seedsText(result: Gathered | undefined, wanted: number): string {
  const { n = 0, failed = 0 } = result ?? {}
  const failures = failed === 0 ? '' : `, ${failed} failed`
  return n === wanted ? String(n) : `${n} of ${wanted}${failures}`
}

/** All that has no numbers, with the reason: networks left out, trials that failed or ended early. */
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
  const { label } = measureKinds[measure]
  const title = `${methodTitles[method]}, by ${label} against ${costTitles[cost]}:`
  return [title, ...adviceSentences(advice, seeds).map((sentence) => `  ${sentence}`)]
}

/** @param seeds how many were asked for */
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

const percent = (part: number) => `${Math.round(100 * part)}%`
