// The picture follows where it is pulled: what it shows is looked at, and the pulled point is aimed until it is there.
import type { Pose } from 'pantin/web'
import { aimedPose, mixed, type Pull, type Puppet, poseOf } from './strings.ts'

/** The picture is where it is pulled, if its point is found within this distance. */
const nearEnough = 0.01
/** Looks at the moved picture, at most. */
const looks = 4
/** What of a miss the next aim makes up for: with all of it, some points would be found beyond their places. */
const gain = 0.8

/**
 * Aims a pulled point so that it is found where it was put. A model moves pictures somewhat less or more than it is told to.
 *
 * @param find gives the keypoints of the picture that was moved to a pose; undefined ends it
 * @returns the pull whose picture came nearest; undefined if it was ended
 */
export async function settled(
  puppet: Puppet,
  pull: Pull,
  k: number,
  find: (pose: Pose) => Promise<Pose | undefined>,
): Promise<Pull | undefined> {
  const to = poseOf(puppet, pull).value[k]!
  let best = { pull, missed: Number.POSITIVE_INFINITY, by: [0, 0] as readonly [number, number] }
  let next = pull
  for (let look = 0; look < looks; look++) {
    const found = (await find(aimedPose(puppet, next)))?.value[k]
    if (found === undefined) return
    const by = [to[0]! - found[0]!, to[1]! - found[1]!] as const
    const missed = Math.hypot(...by)
    // After an aim that was worse, the better one is changed by half as much.
    const part = missed < best.missed ? gain : gain / 2
    if (missed < best.missed) best = { pull: next, missed, by }
    if (best.missed < nearEnough) break
    next = { ...best.pull, aims: mixed(best.pull.aims, new Map([[k, best.by]]), 1, part) }
  }
  return best.pull
}
