// Clips and runs to time on, made when they are needed: a fresh clone has neither.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { initialise, parametersOf } from '../../src/graph/ops/leaf.ts'
import { createVideoWriter } from '../../src/media/video-out.ts'
import type { MotionConfig } from '../../src/motion/config.ts'
import { detectorGraph, generatorGraph } from '../../src/motion/model.ts'
import { createRun } from '../../src/run/run.ts'
import { puppetClip } from '../../src/synthetic/puppet/puppet.ts'
import { Random } from '../../src/util/random.ts'
import { version } from '../../src/util/version.ts'

/** Frames per second of all clips. */
export const clipFrameRate = 25

/** Makes a puppet's film as H.264 in `folder`, unless it is there already. @returns its path */
export async function makeClip(
  folder: string,
  { size, frames }: { readonly size: number; readonly frames: number },
): Promise<string> {
  const path = join(folder, `puppet-${size}-${frames}.mp4`)
  if (await isThere(path)) return path
  const picture = { width: size, height: size, frameRate: clipFrameRate }
  const writer = await createVideoWriter(path, picture)
  try {
    const puppet = puppetClip({ seed: 3, size, frames, frameRate: clipFrameRate })
    for await (const frame of puppet.frames()) await writer.write(frame)
    await writer.close()
  } finally {
    await writer.abort()
  }
  return path
}

/** Makes a run folder with random weights: time does not depend on them. @returns its path */
export async function makeRun(folder: string, name: string, model: MotionConfig): Promise<string> {
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
