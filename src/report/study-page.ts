// A study as one page that stands alone, and its pictures of what the detectors find in the same frames.

import { drawKeypoints } from '../animate/preview.ts'
import { openClips } from '../clips/source.ts'
import { firstDrivingFrame } from '../evaluate/evaluate.ts'
import { labelOf } from '../evaluate/measures.ts'
import { type Frame, frameAt } from '../media/clip.ts'
import { sideBySide } from '../media/draw.ts'
import { fitClip } from '../media/fit.ts'
import { encodePicture } from '../media/picture.ts'
import { resized, squareFrame } from '../model/keypoint-detector.ts'
import { type KeypointDetector, openDetector } from '../model/open-detector.ts'
import {
  type Method,
  type Trial,
  type TrialPlan,
  type TrialSettings,
  trialKey,
} from '../study/trials/plan.ts'
import { type TrialState, trialFolder } from '../study/trials/run-trials.ts'
import { rowName, type TrainedComparison, type TrainedRow } from '../study/trials/study.ts'
import { rankedBy, type Spread, trialMeasure } from '../study/trials/summary.ts'
import { runFolder } from '../study/trials/trial.ts'
import { version } from '../util/version.ts'
import { measuredOn } from '../work/plan-folder.ts'
import { type Column, countColumns, latencyColumn, networkTable } from './comparison-page.ts'
import { describeUnrest } from './comparison-text.ts'
import { escaped, formatCount } from './format.ts'
import { factList, kindChoice, machineFacts, plainTable, plotLegend, standalonePage } from './html.ts'
import {
  latencyAxis,
  macsAxis,
  type PlotAxis,
  type PlottedRow,
  paramsAxis,
  plotFigure,
} from './pareto-plot.ts'
import {
  adviceSentences,
  costTitles,
  methodTitles,
  resultOf,
  seedsText,
  shownMeasures,
  skipText,
  spreadText,
  studyRowId,
  withoutResult,
} from './study-text.ts'

/** Networks that were trained side by side, as one page that stands alone. */
export function studyPage(found: TrainedComparison, strips: Strips): string {
  const unrest = describeUnrest(found)
  return standalonePage(
    'Networks trained and compared',
    `${lead(found)}
${factList([...planFacts(found), ...machineFacts(found)])}
${unrest === undefined ? '' : `<p class="busy" role="note">${escaped(unrest)}</p>`}
${kindChoice(found.plan.methods.map((method) => [method, shortTitles[method]]))}
<h2>Which network for which budget</h2>
${advice(found)}
<h2>Accuracy and cost</h2>
${plotLegend({
  best: 'no other is better in both',
  other: 'another is better in both',
  hollow: found.rows.some(({ reconstruction }) => reconstruction),
  spread: 'one standard deviation of the seeds',
})}
<div class="plots large">
${plots(found)}
</div>
<h2>Every network</h2>
<p>A row opens to show what the network finds, its diagram, its source and its layers. A click on a column's head sorts.</p>
${table(found, strips)}
${missing(found)}
<h2>What they find</h2>
${pictures(found, strips)}
<h2>How this was measured</h2>
${method(found)}
<footer>pantin ${escaped(version)}, <code>pantin study</code>. ${escaped(found.machine.time.slice(0, 10))}.</footer>`,
  )
}

const shortTitles: Readonly<Record<Method, string>> = { distilled: 'distilled', scratch: 'from scratch' }

function lead({ plan, trials, unfinished }: TrainedComparison): string {
  const { nets, seeds } = plan
  const so = unfinished === 0 ? '' : ` ${unfinished} of ${trials.length} trials have no result yet.`
  return `<p class="lead">${formatCount(nets.length)} network${nets.length === 1 ? '' : 's'}, each trained as a keypoint detector
on the same videos with the same budget, from ${seeds.length} seed${seeds.length === 1 ? '' : 's'}: what each costs, and what it learned.${so}</p>`
}

function planFacts({ plan }: TrainedComparison): [string, string][] {
  const { clips, test, teacher, steps, minutes, batch, size, keypoints, holdout } = plan.settings
  const names = (specs: readonly string[]) => {
    const more = specs.length > 3 ? ` and ${specs.length - 3} more` : ''
    return specs.slice(0, 3).map(baseName).join(', ') + more
  }
  return [
    ['trained on', names(clips)],
    ['measured on', test.length > 0 ? names(test) : `the last ${Math.round(100 * holdout)}% of each`],
    ...(teacher === undefined ? [] : [['teacher', baseName(teacher)] satisfies [string, string]]),
    [
      'budget of each',
      `${steps === undefined ? `${minutes} minutes` : `${formatCount(steps)} steps`}, batch ${batch}`,
    ],
    ['detectors', `${keypoints} keypoints, ${size}×${size}`],
  ]
}

/** A page may be passed on: folders of the machine are nobody's business. */
const baseName = (path: string) => path.split(/[\\/]/).at(-1)!

function advice({ advice: all, plan }: TrainedComparison): string {
  const parts = plan.methods.map((method) => {
    const own = all.filter((one) => one.method === method)
    const lists = own.map(
      (one, i) => `<details${i === 0 ? ' open' : ''}><summary>By ${costTitles[one.cost]}</summary>
<ul class="advice">${adviceSentences(one, plan.seeds.length)
        .map((sentence) => `<li>${escaped(sentence)}</li>`)
        .join('')}</ul></details>`,
    )
    const what = `The least ${trialMeasure(rankedBy[method]).label} within each budget, mean and standard deviation over the seeds.`
    return `<div data-as="${method}">${own.length === 0 ? '<p>No trial has a result yet.</p>' : `<p>${escaped(what)}</p>${lists.join('\n')}`}</div>`
  })
  return parts.join('\n')
}

function table(found: TrainedComparison, strips: Strips): string {
  const { plan, rows, device, advice: all } = found
  const names = [...new Set(plan.methods.flatMap((method) => shownMeasures(found, method)))]
  const placed = plan.methods.flatMap((method) => {
    // The first is by latency, where that was measured.
    const front = new Set(all.find((one) => one.method === method)?.choices.map(({ name }) => name))
    return rows.map((row) => ({
      row: { ...row, method },
      id: studyRowId(row, method),
      as: method,
      name: `${row.net}, skip ${skipText(row)}`,
      best: front.has(rowName(row, plan)),
      inside: strip(row, method, found, strips),
    }))
  })
  const columns: Column<Row>[] = [
    ...(device === null ? [] : [latencyColumn]),
    ...names.map((name) => measureColumn(name, found)),
    {
      key: 'seeds',
      head: 'Seeds',
      text: (row) => seedsText(resultOf(row, row.method), plan.seeds.length),
      value: (row) => resultOf(row, row.method)?.n ?? 0,
    },
    ...countColumns,
  ]
  return networkTable(placed, columns, device === null ? 'macs' : 'median')
}

type Row = TrainedRow & { readonly method: Method }

function measureColumn(name: string, found: TrainedComparison): Column<Row> {
  const { short, better } = trialMeasure(name)
  const by = found.plan.methods.filter((method) => shownMeasures(found, method).includes(name))
  const spread = (row: Row) => resultOf(row, row.method)?.measures[name]
  return {
    key: name,
    head: short,
    ...(better !== 'neither' && { unit: `${better} is better` }),
    text: (row) => {
      const found = spread(row)
      return found === undefined ? '' : spreadText(found)
    },
    value: (row) => spread(row)?.mean ?? '',
    ...(by.length === 1 && found.plan.methods.length > 1 && { as: by[0]! }),
  }
}

/** Networks, trials and their reasons. */
function missing(found: TrainedComparison): string {
  const rows = withoutResult(found)
  if (rows.length === 0) return ''
  return `<h2>Without a result</h2>
${plainTable('What has no result, and why', ['network or trial', 'reason'], rows)}`
}

function pictures(found: TrainedComparison, strips: Strips): string {
  const { plan, rows } = found
  const teacher =
    strips.teacher === undefined
      ? ''
      : `<figure class="strip"><figcaption>the teacher</figcaption>${image(strips.teacher, strips, 'Keypoints that the teacher finds')}</figure>`
  const own = plan.methods.flatMap((method) =>
    rows.map((row) => {
      const drawn = strip(row, method, found, strips)
      if (drawn === '') return ''
      return `<figure class="strip" data-as="${method}"><figcaption>${escaped(row.title)} <small>${escaped(`${row.net}, skip ${skipText(row)}`)}</small></figcaption>${drawn}</figure>`
    }),
  )
  return `<p>The same frames for all, none of them trained on; of each network the first seed. A keypoint has the same colour in all
of one row.</p>
<div class="strips">
${[teacher, ...own].filter(Boolean).join('\n')}
</div>`
}

/** Empty where the network has no result by the method. */
function strip(
  { net, skip, title }: TrainedRow,
  method: Method,
  { plan }: TrainedComparison,
  strips: Strips,
) {
  const keys = plan.seeds.map((seed) => trialKey({ net, method, skip, seed }))
  const bytes = keys.map((key) => strips.trials.get(key)).find((found) => found !== undefined)
  return bytes === undefined ? '' : image(bytes, strips, `Keypoints that ${title} finds, skip ${skip}`)
}

const image = (bytes: Uint8Array, { width, height }: Strips, alt: string) =>
  `<img src="data:image/webp;base64,${Buffer.from(bytes).toString('base64')}" width="${width}" height="${height}" alt="${escaped(alt)}">`

function method({ plan, device, rounds, restMs, warmMs }: TrainedComparison): string {
  const { seeds, settings, skips, methods } = plan
  const how: Readonly<Record<Method, string>> = {
    distilled: `Distilled detectors learn to find what the teacher finds; they are ranked by the mean distance of their keypoints to the
teacher's, in units of half the picture's side.`,
    scratch: `Detectors from scratch learn together with a generator that rebuilds frames of the videos from one picture; they are ranked by
the mean absolute error of what is rebuilt, over that of the still picture: below 1 the motion helps.`,
  }
  const timing =
    device === null
      ? 'Latency was not measured.'
      : `Latency is the median time of one picture, batch 1, of detectors written as <code>track</code> runs them, all in turn in one process:
${rounds} rounds in random order, each run after ${restMs} ms of rest and ${warmMs} ms of untimed runs.`
  return `<p class="method">Every network was trained ${skips.map((skip) => `with skip ${skip}`).join(' and ')}, from the seeds ${seeds.join(', ')}, with
the same data, batch, schedule and budget; where a skip changes nothing about a network, it was trained once. ${methods.map((one) => how[one]).join(' ')}</p>
<p class="method">Figures are means over the frames of ${settings.test.length > 0 ? 'videos that were never trained on' : 'the ends of the videos, which were not trained on'}, then
over the seeds; ± is the standard deviation over the seeds. A network within the spread of a cheaper one is said to be so: the difference
may be chance. ${timing}</p>`
}

/** The error of each network, by each method, against what the network costs. */
function plots(found: TrainedComparison): string {
  const { rows, plan, device } = found
  const costs = device === null ? [paramsAxis, macsAxis] : [latencyAxis, paramsAxis, macsAxis]
  return plan.methods
    .flatMap((method) => {
      const points = rows.flatMap((row) => pointOf(row, method, found))
      if (points.length === 0) return []
      const y = errorMeasure(method)
      return costs.map((x) =>
        plotFigure(points, {
          ...{ x, y, as: method, of: methodTitles[method] },
          spread: ({ error }) => barOf(error),
          ratioY: 1.5,
        }),
      )
    })
    .join('\n')
}

/** A row with the error that its method is ranked by. */
type Point = TrainedRow & { readonly error: Spread }

function pointOf(row: TrainedRow, method: Method, { plan }: TrainedComparison): PlottedRow<Point>[] {
  const error = resultOf(row, method)?.measures[rankedBy[method]]
  if (error === undefined || !(error.mean > 0)) return []
  const skip = row.skip === plan.skips[0] ? '' : ` ${row.skip}`
  return [
    {
      row: { ...row, error },
      name: `${row.net}${skip}`,
      href: `#${studyRowId(row, method)}`,
      hollow: row.reconstruction,
      about: `${row.title}, skip ${row.skip}, ${spreadText(error)} (${error.n} seeds)`,
    },
  ]
}

function errorMeasure(method: Method): PlotAxis<Point> {
  const label = labelOf(trialMeasure(rankedBy[method]))
  return {
    name: label,
    axis: label,
    value: ({ error }) => error.mean,
    tick: (value) => String(value),
    text: (value) => value.toPrecision(3),
  }
}

/** One standard deviation to each side; the axis is logarithmic, so its lower end stays above 0. */
function barOf({ mean, deviation }: Spread): readonly [number, number] | undefined {
  return deviation === undefined ? undefined : [Math.max(mean - deviation, mean / 4), mean + deviation]
}

/** The same frames in a row, with what each detector finds in them. */
export interface Strips {
  /** WebP; undefined where there is no teacher. */
  readonly teacher: Uint8Array | undefined
  /** WebP by the key of a trial: of each network, skip and method the first seed that was measured. */
  readonly trials: ReadonlyMap<string, Uint8Array>
  /** Of each, in pixels. */
  readonly width: number
  readonly height: number
}

export interface StripOptions {
  readonly signal?: AbortSignal
  onProgress?(done: number, total: number): void
}

/** Frames of a strip, spread over the clips; pixels a side of each, and between them. */
const [frames, side, gap] = [6, 128, 2]
/** A page has a hundred of them. */
const quality = 75

/**
 * Draws what the detectors of a comparison find in frames that none of them was trained on.
 *
 * @param folder of the comparison
 * @throws InputError, FormatError where clips, the teacher or runs are not there any more. The signal's reason.
 */
export async function drawStrips(
  folder: string,
  plan: TrialPlan,
  states: readonly TrialState[],
  { signal, onProgress }: StripOptions = {},
): Promise<Strips> {
  const pictures = await heldOutFrames(plan.settings)
  const { teacher, device } = plan.settings
  const shown = firstSeeds(states)
  const draw = async (path: string) => {
    signal?.throwIfAborted()
    const detector = await openDetector(path, { device })
    try {
      return await encodePicture('.webp', await drawStrip(detector, pictures), { quality })
    } finally {
      await detector.close()
    }
  }
  const trials = new Map<string, Uint8Array>()
  for (const trial of shown) {
    trials.set(trialKey(trial), await draw(runFolder(trialFolder(folder, trial))))
    onProgress?.(trials.size, shown.length)
  }
  return {
    teacher: teacher === undefined ? undefined : await draw(teacher),
    trials,
    width: frames * (side + gap) - gap,
    height: side,
  }
}

/** Of each network, skip and method. */
function firstSeeds(states: readonly TrialState[]): Trial[] {
  const first = new Map<string, Trial>()
  for (const { trial, result } of states) {
    const key = trialKey({ ...trial, seed: 0 })
    if (result?.status === 'done' && !first.has(key)) first.set(key, trial)
  }
  return [...first.values()]
}

/** RGB [size, size, 3] of each frame. */
async function heldOutFrames(settings: TrialSettings): Promise<Uint8Array[]> {
  const { size, fit } = settings
  const { clips, from } = measuredOn(settings)
  const opened = await openClips(clips)
  const pictures: Uint8Array[] = []
  try {
    for (let i = 0; i < frames; i++) {
      const clip = opened[Math.floor((i * opened.length) / frames)]!
      const first = firstDrivingFrame(clip.frameCount, from)
      const at = first + Math.floor(((i + 0.5) / frames) * (clip.frameCount - first))
      const fitter = await fitClip(clip, size, fit)
      pictures.push(fitter(await frameAt(clip, at)))
    }
  } finally {
    await Promise.all(opened.map((clip) => clip.close()))
  }
  return pictures
}

async function drawStrip(detector: KeypointDetector, pictures: readonly Uint8Array[]): Promise<Frame> {
  const cells: Frame[] = []
  for (const pixels of pictures) {
    const { value, jacobian } = await detector.detect(pixels)
    cells.push(drawKeypoints(resized(squareFrame(pixels), side), { value, jacobian }))
  }
  return sideBySide(cells, gap)
}
