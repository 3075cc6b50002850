// What a compression did: as text, as comma-separated values, and as one page that stands alone.

import type { CompressionReport, CompressionStep } from '../compress/compress.ts'
import type { PartTimes } from '../compress/measure.ts'
import { version } from '../util/version.ts'
import { type Cell, escaped, formatScaled, milliseconds, msCell, table, toCsv } from './format.ts'
import { factList, plainTable, standalonePage } from './html.ts'
import { type PlotPoint, paretoPlot } from './pareto-plot.ts'

const partTitles = { detector: 'detector', source: 'source', frame: 'frame' } as const
type Part = keyof typeof partTitles
const partNames = Object.keys(partTitles) as Part[]

const partsOf = ({ steps }: CompressionReport): Part[] =>
  partNames.filter((part) => steps.some(({ times }) => times[part] !== undefined))

const head = (parts: readonly Part[]) => [
  'step',
  'kept',
  'file',
  'in memory',
  ...parts.map((part) => `${partTitles[part]} ms`),
  'distance',
  'jacobian',
  'PSNR loss',
  'L1',
]

const number = (value: number | null, digits = 2) => (value === null ? '' : value.toPrecision(digits))

const timeCell = (times: PartTimes, part: Part, original: PartTimes): string => {
  const [own, first] = [times[part], original[part]]
  if (own === undefined) return ''
  const factor = first === undefined || first === own ? '' : ` (${(first / own).toFixed(2)}x)`
  return `${milliseconds(own)}${factor}`
}

function stepCells(step: CompressionStep, parts: readonly Part[], original: PartTimes): string[] {
  const { name, kept, fileBytes, memoryBytes, times, difference } = step
  const { distance, jacobian, psnrLoss, l1 } = difference
  return [
    name,
    kept ? 'yes' : 'no',
    formatScaled(fileBytes, 'B'),
    formatScaled(memoryBytes, 'B'),
    ...parts.map((part) => timeCell(times, part, original)),
    number(distance),
    number(jacobian),
    psnrLoss === null ? '' : `${psnrLoss.toFixed(2)} dB`,
    number(l1),
  ]
}

const rowsOf = (found: CompressionReport) => {
  const parts = partsOf(found)
  const original = found.steps[0]?.times ?? {}
  return { head: head(parts), rows: found.steps.map((step) => stepCells(step, parts, original)) }
}

const verdictLines = ({ verdicts }: CompressionReport) =>
  partNames.flatMap((part) => (verdicts[part] === undefined ? [] : [`${part}: ${verdicts[part]}`]))

const prunedLines = ({ pruned, steps }: CompressionReport): string[] => {
  if (pruned === null) return []
  const { macs, parameters } = pruned
  const from = ([before, after]: readonly [number, number]) =>
    `${formatScaled(before, '')} to ${formatScaled(after, '')}`
  const isLeftOut = steps.some(({ name, kept }) => name === 'pruned' && !kept)
  const what = isLeftOut ? 'pruned detector, which is left out' : 'pruned detector'
  return [`${what}: ${from(macs)} multiply-adds, ${from(parameters)} trained numbers`]
}

const measuredOn = ({ frames, threads, device }: CompressionReport) =>
  `${frames.measured} frames, which were not calibrated on (${frames.calibration} were). Distances are to the original, in units of [-1, 1].` +
  ` Times of this CPU: ${threads === 1 ? 'processor time on one thread' : `${threads} threads`}, medians of runs in turn. For ${device}.`

/** A table of the steps, the decisions, and what was measured on. */
export function describeCompression(found: CompressionReport): string {
  const { head: names, rows } = rowsOf(found)
  const verdicts = verdictLines(found)
  const parts = [
    table(rows, names),
    ...prunedLines(found),
    ...(verdicts.length === 0 ? [] : [`in eight bits\n${verdicts.map((line) => `  ${line}`).join('\n')}`]),
    measuredOn(found),
    `wrote ${found.path}`,
  ]
  return parts.join('\n\n')
}

/** One line for each step and each trial. */
export function compressionCsv(found: CompressionReport): string {
  const steps = found.steps.map((step) => {
    const { times, difference } = step
    const own: Record<string, Cell> = {
      kind: 'step',
      network: '',
      name: step.name,
      kept: step.kept,
      fileBytes: step.fileBytes,
      memoryBytes: step.memoryBytes,
      detectorMs: msCell(times.detector),
      sourceMs: msCell(times.source),
      frameMs: msCell(times.frame),
      speed: null,
      ...difference,
    }
    return own
  })
  const trials = found.trials.map(({ part, what, speed, difference }) => ({
    ...{ kind: 'trial', network: part, name: what, kept: null, fileBytes: null, memoryBytes: null },
    ...{ detectorMs: null, sourceMs: null, frameMs: null, speed },
    distance: difference?.distance ?? null,
    jacobian: difference?.jacobian ?? null,
    psnrLoss: difference?.psnrLoss ?? null,
    l1: difference?.l1 ?? null,
  }))
  return toCsv([...steps, ...trials])
}

/** The report as one page. */
export function compressionPage(found: CompressionReport): string {
  const { head: names, rows } = rowsOf(found)
  const { machine, exactSums } = found
  const trials = found.trials.map(({ part, what, speed, difference }) => [
    partTitles[part],
    what,
    speed === null ? '' : `${speed.toFixed(2)}x`,
    number(difference?.distance ?? null),
    difference?.psnrLoss == null ? '' : `${difference.psnrLoss.toFixed(2)} dB`,
  ])
  const sensitive = found.sensitivities.slice(0, 40)
  return standalonePage(
    'A run compressed',
    `<p class="lead">What each step costs and gives, measured on ${escaped(measuredOn(found))}</p>
${factList([
  ['processor', `${machine.cpu}, ${machine.cores} cores`],
  [
    'sums of eight bits',
    exactSums ? 'exact' : 'weights of seven bits are used, because sums of eight are not exact',
  ],
  ['system', `${machine.platform} ${machine.arch}, Node ${machine.node}`],
])}
<h2>Steps</h2>
${plainTable('Steps of the compression', names, rows)}
<div class="plots large">
${plots(found)}
</div>
<h2>Decisions</h2>
<ul>${[...found.notices, ...prunedLines(found), ...verdictLines(found)]
      .map((line) => `<li>${escaped(line)}</li>`)
      .join('')}</ul>
<h2>What was tried</h2>
${plainTable('What was tried', ['network', 'in eight bits', 'speed to float', 'distance', 'PSNR loss'], trials)}
${
  sensitive.length === 0
    ? ''
    : `<h2>Most sensitive ops</h2>
<p>How far each op alone, in eight bits, moves results.</p>
${plainTable(
  'Most sensitive ops',
  ['network', 'op', 'moves by'],
  sensitive.map(({ part, op, badness }) => [partTitles[part], op, number(badness)]),
)}`
}
<footer>pantin ${escaped(version)}, <code>pantin compress</code>. ${escaped(machine.time.slice(0, 10))}.</footer>`,
  )
}

/** Distance against speed of everything that was measured in both, of each network. */
function plots({ steps, trials }: CompressionReport): string {
  return (['detector', 'frame'] as const)
    .flatMap((part) => {
      const points: PlotPoint[] = steps.flatMap(({ name, times, memoryBytes, difference }) => {
        const x = times[part]
        const y = part === 'detector' ? difference.distance : difference.l1
        if (x === undefined || y === null) return []
        const about = `${name}: ${milliseconds(x)} ms, ${formatScaled(memoryBytes, 'B')} of weights`
        return [{ name, x, y: Math.max(y, 1e-5), spread: undefined, hollow: false, href: '#', about }]
      })
      if (points.length < 2 || trials.length === 0) return []
      const y =
        part === 'detector' ? 'distance of keypoints to the original' : 'L1 of pictures to the original'
      return [
        `<figure>${paretoPlot(points, {
          title: `${partTitles[part]}: time and error`,
          x: `milliseconds of the ${partTitles[part]} network`,
          y,
          tickX: String,
          tickY: String,
        })}</figure>`,
      ]
    })
    .join('\n')
}
