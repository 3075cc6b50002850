// `pantin track RUN VIDEO`: writes the keypoints of every frame of a video.

import { Option } from 'commander'
import { formatCount, formatSeconds } from '../../report/format.ts'
import { type AddCommand, type Context, withCommonFlags, withPlugins } from '../context.ts'
import { withMachineFlags } from '../machines.ts'
import {
  type CropFlags,
  type DeviceName,
  deviceOption,
  runArgument,
  smoothOption,
  squareOf,
  withCropFlags,
} from '../options.ts'
import { commonSettings, type FolderFlags, jobsOption, runFolder, videosIn } from '../videos.ts'

interface TrackFlags extends CropFlags, FolderFlags {
  readonly overlay?: string
  readonly format?: 'json' | 'csv'
  readonly sound: boolean
  readonly smooth?: true
  readonly device?: DeviceName
}

export const addTrack: AddCommand = (program, call) => {
  const command = program
    .command('track')
    .summary('find the keypoints of every frame of a video, or of a folder of videos')
    .description(
      'Writes the keypoints of every frame of a video: as JSON, or as CSV with the keypoints in pixels of the video. Of a folder with videos, it does so for each; a bad video does not stop the others, and the same command goes on where it was stopped.',
    )
    .argument(...runArgument)
    .argument('<video>', 'the video, or a folder of videos')
    .requiredOption('-o, --out <file>', 'file to write: .json or .csv; for a folder, a folder')
    .option(
      '--overlay <file.mp4>',
      'also write the video with the keypoints drawn on it; for a folder, a folder',
    )
    .addOption(
      new Option('--format <ending>', 'of the files made of a folder (default: json)').choices([
        'json',
        'csv',
      ]),
    )
    .option('--no-sound', 'leave out the sound of the video in the overlay')
    .option(...smoothOption)
    .addOption(deviceOption())
    .option('--force', 'replace existing files')
    .option(...jobsOption())
  withMachineFlags(command)
  withCommonFlags(withPlugins(withCropFlags(command))).action(call(runTrack))
}

async function runTrack(
  { reporter, signal }: Context,
  run: string,
  video: string,
  flags: TrackFlags,
): Promise<void> {
  const { force = false, ...options } = flags
  const videos = await videosIn(video, flags)
  if (videos !== undefined) {
    const { overlay, format = 'json', sound } = flags
    const settings = { work: 'track', run, format, overlay: overlay !== undefined, sound } as const
    const work = { settings: { ...settings, ...commonSettings(flags) }, from: video, videos, overlay }
    return runFolder({ reporter, signal }, work, flags)
  }
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
