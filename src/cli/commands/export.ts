// `pantin export`: a model of a run, or an imported network, as an ONNX file.
import { Option } from 'commander'
import type { Precision } from '../../convert/export-folder.ts'
import { formatScaled } from '../../report/format.ts'
import { starterNames } from '../../run/starters.ts'
import { InputError } from '../../util/errors.ts'
import { type AddCommand, type Context, withCommonFlags, withPlugins } from '../context.ts'
import { sizes } from '../options.ts'

interface ExportFlags {
  readonly out: string
  readonly input?: readonly [number, number, number, number]
  readonly precision: Precision
  readonly calibrate?: string[]
  readonly what: 'part' | 'pipeline'
  readonly frame?: 'float' | 'uint8'
  readonly part?: 'detector' | 'generator'
  readonly force?: true
}

/** `pantin export RUN --out FILE.onnx`. */
export const addExport: AddCommand = (program, call) => {
  const command = program
    .command('export')
    .summary('write a trained or imported model as ONNX')
    .description(
      'Writes the detector or the generator of a run, or an imported network, as one ONNX file, weights included.',
    )
    .argument('<folder>', `a folder that train, distil or import made, or a starter: ${starterNames()}`)
    .requiredOption('-o, --out <file.onnx>', 'file to write')
    .addOption(
      new Option(
        '--what <kind>',
        'part: a network as it is, for pictures of its size; pipeline: the detector with all before it, for pictures of any size',
      )
        .choices(['part', 'pipeline'])
        .default('part'),
    )
    .addOption(
      new Option(
        '--input <NxCxHxW>',
        "shape of the pictures that the file is for (default: one picture of the run's size, or 1x3x64x64; for a pipeline, one of any size)",
      ).argParser(sizes('--input', '1x3x64x64')),
    )
    .addOption(
      new Option(
        '--precision <kind>',
        'fp16: weights of half the size; fp16-graph: computed with in 16 bits too, for GPUs; int8: the detector computes in eight bits, as a run of compress says or with --calibrate',
      )
        .choices(['fp32', 'fp16', 'fp16-graph', 'int8'])
        .default('fp32'),
    )
    .option('--calibrate <video...>', 'for int8: videos that the ranges of values are taken from')
    .addOption(
      new Option('--part <which>', 'which part of a motion model (default: detector)').choices([
        'detector',
        'generator',
      ]),
    )
    .addOption(
      new Option(
        '--frame <kind>',
        'how pictures are given: float [N, 3, H, W] in [0, 1], or uint8 [N, H, W, 3] (default: float; for a pipeline, uint8)',
      ).choices(['float', 'uint8']),
    )
    .option('--force', 'replace an existing file')
  withCommonFlags(withPlugins(command)).action(call(runExport))
}

async function runExport({ reporter, signal }: Context, folder: string, flags: ExportFlags): Promise<void> {
  if (!flags.out.toLowerCase().endsWith('.onnx')) {
    throw new InputError({
      what: 'the file needs the ending .onnx',
      where: '--out',
      got: flags.out,
      remedy: `take ${flags.out}.onnx`,
    })
  }
  const { assertWritableTarget } = await import('../../files/atomic.ts')
  await assertWritableTarget(flags.out, { force: flags.force ?? false })
  const { calibrate, precision } = flags
  if (calibrate !== undefined && precision !== 'int8') throw calibratesNothing(precision)
  const { exportFolder } = await import('../../convert/export-folder.ts')
  const plan = calibrate === undefined ? undefined : await planFrom(folder, calibrate, signal)
  const made = await exportFolder(folder, flags.out, {
    signal,
    what: flags.what,
    part: flags.part,
    input: flags.input,
    frame: flags.frame,
    precision,
    plan,
  })
  const ports = (of: Readonly<Record<string, readonly (number | string)[]>>) =>
    Object.entries(of)
      .map(([name, shape]) => `${name} [${shape.join(', ')}]`)
      .join(', ')
  reporter.result({ out: flags.out, precision, ...made }, () =>
    [
      `wrote ${flags.out}: the ${flags.what === 'pipeline' ? 'pipeline' : made.part} in ${precision}, ${formatScaled(made.bytes, 'B')}, ${made.ops} nodes, opset ${made.opset}`,
      `inputs:  ${ports(made.inputs)}`,
      `outputs: ${ports(made.outputs)}`,
    ].join('\n'),
  )
}

async function planFrom(folder: string, videos: readonly string[], signal: AbortSignal) {
  const { planDetector } = await import('../../compress/eight-bits.ts')
  return planDetector(folder, videos, { signal })
}

function calibratesNothing(precision: Precision): InputError {
  return new InputError({
    what: '--calibrate is for eight bits',
    where: '--calibrate',
    got: `--precision ${precision}`,
    remedy: 'add --precision int8, or leave --calibrate out',
  })
}
