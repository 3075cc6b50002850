import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createVideoWriter } from '../media/video-out.ts'
import type { MotionConfig } from '../motion/config.ts'
import { detectorGraph, generatorGraph } from '../motion/model.ts'
import { initialise, parametersOf } from '../motion/weights.ts'
import { createRun } from '../run/run.ts'
import { puppetClip } from '../synthetic/puppet/puppet.ts'
import { Random } from '../util/random.ts'
import { version } from '../util/version.ts'

/** Clips and runs to time on, made on the spot: a fresh clone has neither. */

/** Frames a second of all clips. */
export const madeUpFrameRate = 25

/** A puppet's film as H.264 in `folder`, made where it is not there yet. @returns its path */
export async function madeUpClip(
  folder: string,
  { size, frames }: { readonly size: number; readonly frames: number },
): Promise<string> {
  const path = join(folder, `puppet-${size}-${frames}.mp4`)
  if (await isThere(path)) return path
  const picture = { width: size, height: size, frameRate: madeUpFrameRate }
  const writer = await createVideoWriter(path, picture)
  try {
    const puppet = puppetClip({ seed: 3, size, frames, frameRate: madeUpFrameRate })
    for await (const frame of puppet.frames()) await writer.write(frame)
    await writer.close()
  } finally {
    await writer.abort()
  }
  return path
}

/** A run folder with random weights: time does not depend on them. @returns its path */
export async function madeUpRun(folder: string, name: string, model: MotionConfig): Promise<string> {
  const training = { fit: 'crop', clips: [], holdout: 0 }
  const run = await createRun(join(folder, name), { config: { model, training }, version, force: true })
  try {
    await run.saveWeights(
      initialise([detectorGraph(model), generatorGraph(model)].flatMap(parametersOf), new Random(1)),
    )
  } finally {
    run.close()
  }
  return join(folder, name)
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
