import { Option } from 'commander'
import { formatCount, formatSeconds } from '../../report/format.ts'
import { type AddCommand, type Context, withCommonFlags } from '../context.ts'
import { type DeviceName, deviceOption, type FitName, fitOption, wholeNumber } from '../options.ts'

interface AnimateFlags {
  readonly source: string
  readonly driving: string
  readonly out: string
  readonly absolute?: true
  readonly reference?: 'best' | 'first'
  readonly size?: number
  readonly fit?: FitName
  readonly device?: DeviceName
  readonly force?: true
}

/** `pantin animate RUN --source PICTURE --driving VIDEO --out FILE`. */
export const addAnimate: AddCommand = (program, call) => {
  const command = program
    .command('animate')
    .summary('move a still picture as a video moves')
    .description('Animates a still picture with the motion of a video.')
    .argument('<run>', 'folder of a run')
    .requiredOption('-s, --source <picture>', 'what to animate: a picture, or a video (its first frame)')
    .requiredOption('-d, --driving <video>', 'whose motion to take')
    .requiredOption('-o, --out <file>', 'video to write: mp4, mov, mkv or webm')
    .option('--absolute', "take the driving video's pose and shape too, not its movement alone")
    .addOption(
      new Option(
        '--reference <frame>',
        "driving frame whose pose counts as the source's (default: best, the most like it)",
      ).choices(['best', 'first']),
    )
    .option(
      '--size <pixels>',
      "side of the result (default: the model's)",
      wholeNumber('--size', { min: 16, max: 4096 }),
    )
    .addOption(fitOption())
    .addOption(deviceOption())
    .option('--force', 'replace an existing file')
  withCommonFlags(command).action(call(runAnimate))
}

async function runAnimate({ reporter, signal }: Context, run: string, flags: AnimateFlags): Promise<void> {
  const { assertWritableTarget } = await import('../../files/atomic.ts')
  await assertWritableTarget(flags.out, { force: flags.force ?? false })
  const { animate } = await import('../../animate/animate.ts')
  await reporter.prepare()
  const { force, ...options } = flags
  const made = await animate(run, {
    ...options,
    overwrite: force ?? false,
    signal,
    onProgress: (event) => reporter.progress({ unit: 'frames', ...event }),
  })
  reporter.result(made, () => {
    const took = `${formatCount(made.frames)} frames in ${formatSeconds(made.seconds)} on ${made.device}`
    const pose =
      made.referenceFrame === undefined ? '' : `, its pose as in driving frame ${made.referenceFrame}`
    return `wrote ${made.out}: ${took}${pose}`
  })
}
