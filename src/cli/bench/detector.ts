import type { DetectorBench } from '../../bench/detector.ts'
import { msCell, toCsv } from '../../report/csv.ts'
import { formatCount, formatScaled, table } from '../../report/format.ts'
import type { Context } from '../context.ts'
import type { DeviceName } from '../options.ts'

export interface DetectorFlags {
  readonly keep?: string
  readonly csv?: string
  readonly rounds?: number
  readonly threads?: number
  readonly device: DeviceName
  readonly force?: true
}

/** `pantin bench detector`: the published detector, the same rewritten, and a light one, with their graphs. */
export async function runDetector({ reporter, signal }: Context, flags: DetectorFlags): Promise<void> {
  const { benchDetector } = await import('../../bench/detector.ts')
  const { figuresOfDetectors } = await import('../../bench/detector-figures.ts')
  const { judged } = await import('./report.ts')
  const { writeFileAtomic } = await import('../../files/atomic.ts')
  const { keep, csv, rounds, threads, device, force = false } = flags
  const found = await benchDetector({
    force,
    signal,
    device,
    ...(keep !== undefined && { keep }),
    ...(rounds !== undefined && { rounds }),
    ...(threads !== undefined && { threads }),
    onRun: (done, total) => reporter.progress({ phase: 'latency', done, total, unit: 'runs' }),
  })
  if (csv !== undefined) await writeFileAtomic(csv, toCsv(records(found)))
  const figures = found.threads === null ? [] : judged(figuresOfDetectors(found, found.threads))
  reporter.result({ ...found, figures, leftOut: [] }, () => describe(found, keep))
}

const records = ({ machine, device, threads, rounds, rows }: DetectorBench) =>
  rows.map(({ latency, ...row }) => ({
    ...row,
    medianMs: msCell(latency.median),
    minMs: msCell(latency.min),
    lowerQuartileMs: msCell(latency.quartiles[0]),
    upperQuartileMs: msCell(latency.quartiles[1]),
    rounds,
    device,
    threads,
    cpu: machine.cpu,
    time: machine.time,
  }))

function describe(
  { machine, device, threads, rounds, rows }: DetectorBench,
  keep: string | undefined,
): string {
  const on = threads === null ? device : `${machine.cpu}, ${threads} thread${threads === 1 ? '' : 's'}`
  const lines = rows.map(({ form, params, macs, ops, latency, ratio, target, reached }) => [
    form,
    latency.median.toPrecision(3),
    latency.min.toPrecision(3),
    ratio.toFixed(2),
    form === 'published' ? '' : `${target} ${reached ? 'reached' : 'not reached'}`,
    formatCount(params),
    formatScaled(macs, 'MAC'),
    String(ops),
  ])
  const exact = rows.find(({ form }) => form === 'exact')
  return [
    `keypoint detectors, 1x3x256x256, on ${on}, ${rounds} interleaved rounds`,
    table(lines, [
      'detector',
      'ms',
      'least',
      'times faster',
      'target',
      'parameters',
      'multiply-adds',
      'nodes',
    ]),
    `exact differs from published by ${exact?.largestDifference?.toExponential(1)} at most`,
    ...(keep === undefined ? [] : [`graphs: ${keep}`]),
  ].join('\n')
}
