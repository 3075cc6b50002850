// `pantin export`: a model of a run, or an imported network, as an ONNX file.
import { Option } from 'commander'
import { formatScaled } from '../../report/format.ts'
import { starterNames } from '../../run/starters.ts'
import { InputError } from '../../util/errors.ts'
import { type AddCommand, type Context, withCommonFlags, withPlugins } from '../context.ts'
import { sizes } from '../options.ts'

interface ExportFlags {
  readonly out: string
  readonly input?: readonly [number, number, number, number]
  readonly precision: 'fp32'
  readonly frame: 'float' | 'uint8'
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
        '--input <NxCxHxW>',
        "shape of the pictures that the file is for (default: one picture of the run's size, or 1x3x64x64)",
      ).argParser(sizes('--input', '1x3x64x64')),
    )
    .addOption(
      new Option('--precision <kind>', 'of the weights: fp32 is the only one that is available')
        .argParser(availablePrecision)
        .default('fp32'),
    )
    .addOption(
      new Option('--part <which>', 'which part of a motion model (default: detector)').choices([
        'detector',
        'generator',
      ]),
    )
    .addOption(
      new Option(
        '--frame <kind>',
        'how pictures are given: float [N, 3, H, W] in [0, 1], or uint8 [N, H, W, 3]',
      )
        .choices(['float', 'uint8'])
        .default('float'),
    )
    .option('--force', 'replace an existing file')
  withCommonFlags(withPlugins(command)).action(call(runExport))
}

/** The value of `--precision`. @throws InputError for anything else than fp32. */
function availablePrecision(text: string): 'fp32' {
  if (text === 'fp32') return text
  throw new InputError({
    what: 'models are exported in fp32 only',
    where: '--precision',
    got: text,
    expected: 'fp32',
    remedy:
      'leave --precision out, and convert the exported ONNX file with another tool if you need fp16 or int8',
  })
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
  const { exportFolder } = await import('../../convert/export-folder.ts')
  const made = await exportFolder(folder, flags.out, {
    signal,
    part: flags.part,
    input: flags.input,
    frame: flags.frame,
  })
  const ports = (of: Readonly<Record<string, readonly number[]>>) =>
    Object.entries(of)
      .map(([name, shape]) => `${name} [${shape.join(', ')}]`)
      .join(', ')
  reporter.result({ out: flags.out, precision: flags.precision, ...made }, () =>
    [
      `wrote ${flags.out}: the ${made.part}, ${formatScaled(made.bytes, 'B')}, ${made.ops} nodes, opset ${made.opset}`,
      `inputs:  ${ports(made.inputs)}`,
      `outputs: ${ports(made.outputs)}`,
    ].join('\n'),
  )
}
