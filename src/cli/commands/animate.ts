// `pantin animate RUN`: moves a still picture with the motion of a video.
import { Option } from 'commander'
import { formatCount, formatSeconds } from '../../report/format.ts'
import { defined } from '../../util/options.ts'
import { type AddCommand, type Context, withCommonFlags, withPlugins } from '../context.ts'
import { withMachineFlags } from '../machines.ts'
import {
  type CropFlags,
  type DeviceName,
  deviceOption,
  markOption,
  runArgument,
  smoothOption,
  squareOf,
  wholeNumber,
  withCropFlags,
} from '../options.ts'
import { commonSettings, type FolderFlags, jobsOption, runFolder, videosIn } from '../videos.ts'

interface AnimateFlags extends CropFlags, FolderFlags {
  readonly source: string
  readonly driving: string
  readonly absolute?: true
  readonly reference?: 'best' | 'first'
  readonly size?: number
  readonly paste?: true
  readonly sound: boolean
  readonly mark: boolean
  readonly smooth?: true
  readonly device?: DeviceName
}

export const addAnimate: AddCommand = (program, call) => {
  const command = program
    .command('animate')
    .summary('move a still picture as a video moves')
    .description(
      'Animates a still picture with the motion of a video. With a folder of videos, it does so for each; a bad video does not stop the others, and the same command goes on where it was stopped.',
    )
    .argument(...runArgument)
    .requiredOption('-s, --source <picture>', 'picture to animate; of a video, its first frame')
    .requiredOption('-d, --driving <video>', 'video with the motion, or a folder of videos')
    .requiredOption('-o, --out <file>', 'video to write: mp4, mov, mkv or webm; for a folder, a folder')
    .option('--absolute', "copy the driving video's pose and shape, not only its movement")
    .addOption(
      new Option(
        '--reference <frame>',
        "driving frame whose pose is matched to the source's: the first, or the most similar one (default: best)",
      ).choices(['best', 'first']),
    )
    .option(
      '--size <pixels>',
      "side of the result (default: the model's)",
      wholeNumber('--size', { min: 16, max: 4096 }),
    )
    .addOption(
      new Option(
        '--paste',
        "put the moved square back into the whole picture: the video has the picture's size",
      ).conflicts('size'),
    )
    .option('--no-sound', 'leave out the sound of the driving video')
    .option(...markOption)
    .option(...smoothOption)
    .addOption(deviceOption())
    .option('--force', 'replace an existing file')
    .option(...jobsOption())
  withMachineFlags(command)
  withCommonFlags(withPlugins(withCropFlags(command))).action(call(runAnimate))
}

async function runAnimate({ reporter, signal }: Context, run: string, flags: AnimateFlags): Promise<void> {
  const videos = await videosIn(flags.driving, flags)
  if (videos !== undefined) {
    const { source, driving, absolute, reference, size, paste, mark, sound } = flags
    const own = {
      work: 'animate',
      run,
      source,
      sound,
      mark,
      ...defined({ absolute, reference, size, paste }),
    } as const
    const work = { settings: { ...own, ...commonSettings(flags) }, from: driving, videos }
    return runFolder({ reporter, signal }, work, flags)
  }
  const { assertNoInput } = await import('../../files/folders.ts')
  await assertNoInput([flags.out], [flags.source, flags.driving])
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
  reporter.warn(made.notices)
  reporter.result(made, () => {
    const took = `${formatCount(made.frames)} frames in ${formatSeconds(made.seconds)} on ${made.device}`
    const pose = made.referenceFrame === undefined ? '' : `, reference: driving frame ${made.referenceFrame}`
    const squares = `picture: ${squareOf(made.squares.source)}; video: ${squareOf(made.squares.driving)}`
    const mark = `mark: ${made.mark ?? 'none (as asked)'}`
    return `wrote ${made.out}: ${took}${pose}\n${squares}\nsound: ${made.sound}\n${mark}`
  })
}
