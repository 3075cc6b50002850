// `pantin import`: weights from a PyTorch or safetensors checkpoint.
// `pantin import`: a run folder from a checkpoint of PyTorch or safetensors.
import type { ImportResult } from '../../convert/import-checkpoint.ts'
import { detectorOptions } from '../../motion/options.ts'
import { formatCount } from '../../report/format.ts'
import { defined, type OptionValues } from '../../util/options.ts'
import { type AddCommand, type Context, withCommonFlags, withPlugins } from '../context.ts'
import { flagOf, wholeNumber } from '../options.ts'

interface ImportFlags extends Pick<OptionValues<typeof detectorOptions>, 'dilations'> {
  readonly net: string
  readonly out: string
  readonly outputs?: number
  readonly size?: number
  readonly partial?: true
  readonly from?: string
  readonly force?: true
}

/** `pantin import CHECKPOINT --net NET --out FOLDER`. */
export const addImport: AddCommand = (program, call) => {
  const command = program
    .command('import')
    .summary('take weights from a PyTorch or safetensors checkpoint')
    .description(
      'Makes a folder from a checkpoint (.pth, .pt, .pth.tar, .safetensors) with the tensor names of the published ' +
        'code. With --net hourglass the checkpoint may also be a First Order Motion Model, which animate and track ' +
        'can then use. No code in a checkpoint is executed.',
    )
    .argument('<checkpoint>', 'file to read')
    .requiredOption('--net <name>', 'the network that the checkpoint was made for')
    .requiredOption('-o, --out <folder>', 'folder to write')
    .option(
      '--outputs <n>',
      'channels of the result (default: 10)',
      wholeNumber('--outputs', { min: 1, max: 4096 }),
    )
    .option(
      '--partial',
      'take the parameters that fit and initialise the others, for instance with a pretrained encoder',
    )
    .option(
      '--from <place>',
      'where in the file the weights are, if it has several, such as averaged ones (state_dict_ema); without it, ' +
        'weights are taken before averages, and the other places are named',
    )
    .addOption(flagOf('dilations', { ...detectorOptions.dilations, default: 'published' }))
    .option(
      '--size <pixels>',
      'side of the frames of a motion model (default: 256)',
      wholeNumber('--size', { min: 16, max: 4096 }),
    )
    .option('--force', 'replace a run or network in --out')
  withCommonFlags(withPlugins(command)).action(call(runImport))
}

async function runImport({ reporter, signal }: Context, file: string, flags: ImportFlags): Promise<void> {
  const { importCheckpoint } = await import('../../convert/import-checkpoint.ts')
  const { net, out, outputs, size, dilations, from, partial = false, force = false } = flags
  const made = await importCheckpoint(file, {
    net,
    out,
    partial,
    force,
    signal,
    ...defined({ outputs, size, dilations, from }),
  })
  reporter.result(made, () => describe(made, out))
}

function describe(made: ImportResult, out: string): string {
  const what = made.kind === 'network' ? `${made.outputs} outputs` : `${made.outputs} keypoints`
  const lines = [
    `imported ${formatCount(made.taken)} tensors of ${made.net}, ${what}, from ${made.from}`,
    `${made.kind}: ${out}`,
  ]
  if (made.fresh.length > 0) lines.push(`initialised: ${listed(made.fresh)}`)
  if (made.ignored.length > 0) lines.push(`not used: ${listed(made.ignored)}`)
  if (made.others.length > 0) {
    lines.push(`other weights in the file: ${listed(made.others)}; --from "${made.others[0]}" takes them`)
  }
  if (made.foreign.length > 0) {
    lines.push(`passed over, and never executed: objects of ${listed(made.foreign)}`)
  }
  return lines.join('\n')
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 4).join(', ')
  return names.length > 4 ? `${shown} and ${names.length - 4} more` : shown
}
