/** What grows in `growth.ts`, apart so that the command line can name it without loading the work. */

export const growthNames = [
  'step.batch',
  'step.size',
  'detector.size',
  'detector.keypoints',
  'track.seconds',
] as const
export type GrowthName = (typeof growthNames)[number]

/** What is timed where nothing else is asked for. */
export const growthValues: Readonly<Record<GrowthName, readonly number[]>> = {
  'step.batch': [1, 2, 4, 8, 16],
  'step.size': [32, 48, 64, 96, 128],
  'detector.size': [64, 128, 192, 256, 384, 512],
  'detector.keypoints': [5, 10, 20, 30, 40, 50],
  'track.seconds': [2, 4, 8, 16],
}
