import { type AddCommand, type Context, withCommonFlags } from '../context.ts'
import { formatCount, table } from '../format.ts'
import { type DeviceName, deviceOption, type FitName, fitOption, fraction } from '../options.ts'

interface EvalFlags {
  readonly from: number
  readonly fit?: FitName
  readonly device?: DeviceName
}

/** `pantin eval RUN VIDEO...`. */
export const addEval: AddCommand = (program, call) => {
  const command = program
    .command('eval')
    .summary('measure a trained model')
    .description(
      'Reconstructs the end of videos from their first frames, and compares with the still picture doing nothing.',
    )
    .argument('<run>', 'folder of a run')
    .argument('<video...>', 'videos')
    .option('--from <part>', 'where in each video to begin, 0 to 1', fraction('--from'), 0.8)
    .addOption(fitOption())
    .addOption(deviceOption())
  withCommonFlags(command).action(call(runEval))
}

async function runEval(
  { reporter, signal }: Context,
  run: string,
  videos: string[],
  flags: EvalFlags,
): Promise<void> {
  const { evaluate } = await import('../../animate/evaluate.ts')
  await reporter.prepare()
  const found = await evaluate(run, videos, {
    ...flags,
    signal,
    onProgress: (done, total) => reporter.progress({ phase: 'eval', done, total, unit: 'frames' }),
  })
  const { value, jacobian = null } = found.equivariance
  reporter.result({ ...found, equivariance: { value, jacobian } }, () => {
    const { still } = found
    return [
      table(
        [
          ['l1', found.l1.toFixed(4), still.l1.toFixed(4), `${Math.round((100 * found.l1) / still.l1)}%`],
          ['psnr', decibels(found.psnr), decibels(still.psnr), decibels(found.psnr - still.psnr, '+')],
          ['ssim', found.ssim.toFixed(4), still.ssim.toFixed(4), ''],
        ],
        [`${formatCount(found.frames)} frames`, 'model', 'still picture', 'model to still'],
      ),
      '',
      `equivariance: value ${value.toFixed(4)}, jacobian ${jacobian?.toFixed(4) ?? 'none'}`,
    ].join('\n')
  })
}

const decibels = (value: number, sign = '') => `${value >= 0 ? sign : ''}${value.toFixed(2)} dB`
