import { Argument } from 'commander'
import { type GrowthName, growthNames } from '../../bench/growth-values.ts'
import { InputError } from '../../util/errors.ts'
import { type DetectorFlags, runDetector } from '../bench/detector.ts'
import { type PartName, partNames } from '../bench/part-names.ts'
import { type AddCommand, type Context, withCommonFlags } from '../context.ts'
import { deviceOption, wholeNumber } from '../options.ts'

interface BenchFlags extends DetectorFlags {
  readonly plot?: string
  readonly python?: string
  readonly nets?: string
  readonly series?: string
  readonly minutes?: number
}

const description = `Measures the figures that pantin claims, each beside what it is held against.

  step       the training step beside PyTorch's: time and memory
  detector   the published keypoint detector, the same rewritten exactly, and pantin's own, at 256x256
  real-time  tracking and animating file to file, latency of a camera's frame, start of training
  browser    step and detectors on WebAssembly, in a Chromium without a window
  growth     time against batch, size, keypoints and length of clips

All of them take about seven minutes on two idle cores. A figure that is not reached stands there as not reached.`

/** `pantin bench [what]`. */
export const addBench: AddCommand = (program, call) => {
  const command = program
    .command('bench')
    .summary('measure the figures that pantin claims')
    .description(description)
    .addArgument(new Argument('[what]', 'what to measure').choices(['all', ...partNames]).default('all'))
    .option('--csv <file>', 'also write the figures as CSV')
    .option('--plot <file.svg>', 'growth: also draw it')
    .option(
      '--rounds <n>',
      'timed runs of each (default: by part, 3 to 50)',
      wholeNumber('--rounds', { min: 1, max: 10_000 }),
    )
    .option(
      '--threads <n>',
      'threads within one op on the CPU (default: one for each core)',
      wholeNumber('--threads', { min: 1, max: 1024 }),
    )
    .option('--python <program>', 'step: a Python with PyTorch, which is timed in turn with ours')
    .option('--nets <names>', 'step: backbones, joined by commas (default: lednet,erfnet,esnet,hourglass)')
    .option('--series <names>', `growth: which, joined by commas (default: ${growthNames.join(',')})`)
    .option(
      '--minutes <n>',
      'real-time: also train on a clip of so many minutes, and watch the memory (60 take about ten)',
      wholeNumber('--minutes', { min: 1, max: 600 }),
    )
    .option('--keep <folder>', 'detector: leave the graphs there: published.onnx, exact.onnx, light.onnx')
    .addOption(deviceOption().default('cpu'))
    .option('--force', 'replace existing files')
  withCommonFlags(command).action(call(runBench))
}

type What = PartName | 'all'

async function runBench(context: Context, what: What, flags: BenchFlags): Promise<void> {
  checkFlags(what, flags)
  const { assertWritableTarget } = await import('../../files/atomic.ts')
  await context.reporter.prepare()
  const { csv, plot, force = false } = flags
  for (const path of [csv, plot]) {
    if (path !== undefined) await assertWritableTarget(path, { force })
  }
  if (what === 'detector') await runDetector(context, flags)
  else await runParts(context, what, flags)
}

/** The part that a flag is for. With `all` they are taken where they are for one part alone. */
const partOf: readonly (readonly [keyof BenchFlags, PartName])[] = [
  ['plot', 'growth'],
  ['series', 'growth'],
  ['python', 'step'],
  ['nets', 'step'],
  ['minutes', 'real-time'],
]

function checkFlags(what: What, flags: BenchFlags): void {
  for (const [flag, part] of partOf) {
    if (flags[flag] !== undefined && what !== 'all' && what !== part) throw misplaced(flag, part, what)
  }
  if (what === 'detector') return
  if (flags.keep !== undefined) throw misplaced('keep', 'detector', what)
  if (flags.device !== 'cpu') throw misplaced('device', 'detector', what)
}

const misplaced = (flag: string, part: PartName, what: What): InputError =>
  new InputError({
    what: `this option is for pantin bench ${part}`,
    where: `--${flag}`,
    got: `pantin bench ${what}`,
  })

async function runParts(context: Context, what: What, flags: BenchFlags): Promise<void> {
  const { measureParts } = await import('../bench/parts.ts')
  const { describeReport, figuresCsv, growthCsv, reportOf } = await import('../bench/report.ts')
  const { growthPlot } = await import('../bench/growth-plot.ts')
  const { writeFileAtomic } = await import('../../files/atomic.ts')
  const { rounds, threads, python, csv, plot } = flags
  const found = await measureParts(
    what === 'all' ? partNames : [what],
    {
      brief: what === 'all',
      ...(rounds !== undefined && { rounds }),
      ...(threads !== undefined && { threads }),
      ...(python !== undefined && { python }),
      ...(flags.minutes !== undefined && { minutes: flags.minutes }),
      ...(flags.nets !== undefined && { nets: await namedNets(flags.nets) }),
      ...(flags.series !== undefined && { series: namedSeries(flags.series) }),
    },
    context,
  )
  const report = reportOf(found)
  if (csv !== undefined) {
    const text = what === 'growth' ? growthCsv(report.machine, found.growth) : figuresCsv(report)
    await writeFileAtomic(csv, text)
  }
  if (plot !== undefined && found.growth.length > 0) {
    await writeFileAtomic(plot, growthPlot(found.growth, report.machine))
  }
  context.reporter.result(report, () => describeReport(report, found.growth))
}

/** @throws InputError for an unknown network. */
async function namedNets(text: string): Promise<string[]> {
  const { findNet } = await import('../../zoo/registry.ts')
  return text.split(',').map((name) => findNet(name.trim()).name)
}

/** @throws InputError for an unknown series. */
function namedSeries(text: string): GrowthName[] {
  return text.split(',').map((part) => {
    const name = growthNames.find((one) => one === part.trim())
    if (name !== undefined) return name
    throw new InputError({
      what: 'there is no such series',
      where: '--series',
      got: part,
      expected: growthNames.join(', '),
    })
  })
}
