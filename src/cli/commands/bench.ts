import { Argument } from 'commander'
import type { DetectorBench } from '../../bench/detector.ts'
import { type AddCommand, type Context, withCommonFlags } from '../context.ts'
import { msCell, toCsv } from '../csv.ts'
import { formatCount, formatScaled, table } from '../format.ts'
import { type DeviceName, deviceOption, wholeNumber } from '../options.ts'

interface BenchFlags {
  readonly keep?: string
  readonly csv?: string
  readonly rounds?: number
  readonly threads?: number
  readonly device?: DeviceName
  readonly force?: true
}

/** `pantin bench [what]`. */
export const addBench: AddCommand = (program, call) => {
  const command = program
    .command('bench')
    .summary('measure the figures that pantin claims')
    .description(
      'Times the published keypoint detector, the same rewritten exactly, and a light one on LEDNet, in turn, ' +
        'on frames of 256x256. Targets: 1.7 and 10 times faster than published.',
    )
    .addArgument(new Argument('[what]', 'what to measure').choices(['detector']).default('detector'))
    .option('--keep <folder>', 'leave the graphs there: published.onnx, exact.onnx, light.onnx')
    .option('--csv <file>', 'also write the figures as CSV')
    .option(
      '--rounds <n>',
      'timed runs of each (default: 50)',
      wholeNumber('--rounds', { min: 1, max: 10_000 }),
    )
    .option(
      '--threads <n>',
      'threads within one op on the CPU (default: one for each core)',
      wholeNumber('--threads', { min: 1, max: 1024 }),
    )
    .addOption(deviceOption().default('cpu'))
    .option('--force', 'replace existing files')
  withCommonFlags(command).action(call(runBench))
}

async function runBench({ reporter, signal }: Context, _what: string, flags: BenchFlags): Promise<void> {
  const { benchDetector } = await import('../../bench/detector.ts')
  const { assertWritableTarget, writeFileAtomic } = await import('../../store/atomic.ts')
  await reporter.prepare()
  const { keep, csv, rounds, threads, device, force = false } = flags
  if (csv !== undefined) await assertWritableTarget(csv, { force })
  const found = await benchDetector({
    force,
    signal,
    ...(keep !== undefined && { keep }),
    ...(rounds !== undefined && { rounds }),
    ...(threads !== undefined && { threads }),
    ...(device && { device }),
    onRun: (done, total) => reporter.progress({ phase: 'latency', done, total, unit: 'runs' }),
  })
  if (csv !== undefined) await writeFileAtomic(csv, toCsv(records(found)))
  reporter.result(found, () => describe(found, keep))
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
