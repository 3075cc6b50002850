// `pantin track RUN VIDEO`: writes the keypoints of every frame of a video.
import { formatCount, formatSeconds } from '../../report/format.ts'
import { type AddCommand, type Context, withCommonFlags, withPlugins } from '../context.ts'
import {
  type CropFlags,
  type DeviceName,
  deviceOption,
  runArgument,
  smoothOption,
  squareOf,
  withCropFlags,
} from '../options.ts'

interface TrackFlags extends CropFlags {
  readonly out: string
  readonly overlay?: string
  readonly sound: boolean
  readonly smooth?: true
  readonly device?: DeviceName
  readonly force?: true
}

export const addTrack: AddCommand = (program, call) => {
  const command = program
    .command('track')
    .summary('find the keypoints of every frame of a video')
    .description(
      'Writes the keypoints of every frame of a video: as JSON, or as CSV with the keypoints in pixels of the video.',
    )
    .argument(...runArgument)
    .argument('<video>', 'the video')
    .requiredOption('-o, --out <file>', 'file to write: .json or .csv')
    .option('--overlay <file.mp4>', 'also write the video with the keypoints drawn on it')
    .option('--no-sound', 'leave out the sound of the video in the overlay')
    .option(...smoothOption)
    .addOption(deviceOption())
    .option('--force', 'replace existing files')
  withCommonFlags(withPlugins(withCropFlags(command))).action(call(runTrack))
}

async function runTrack(
  { reporter, signal }: Context,
  run: string,
  video: string,
  flags: TrackFlags,
): Promise<void> {
  const { force = false, ...options } = flags
  const { assertTargets, writeTrack } = await import('../../animate/track.ts')
  await assertTargets(video, options)
  const { assertWritableTarget } = await import('../../files/atomic.ts')
  for (const path of [flags.out, flags.overlay]) {
    if (path !== undefined) await assertWritableTarget(path, { force })
  }
  await reporter.prepare()
  const made = await writeTrack(run, video, {
    ...options,
    overwrite: force,
    signal,
    onProgress: (done, total) => reporter.progress({ phase: 'track', done, total, unit: 'frames' }),
  })
  reporter.warn(made.notices)
  reporter.result(made, () => {
    const files = made.overlay === undefined ? made.out : `${made.out} and ${made.overlay}`
    const what = `${made.keypoints} keypoints in ${formatCount(made.frames)} frames`
    const took = `${formatSeconds(made.seconds)} on ${made.device}`
    const sound = made.sound === undefined ? '' : `\nsound: ${made.sound}`
    return `wrote ${files}: ${what}, ${took}\nsquare: ${squareOf(made.square)}${sound}`
  })
}
