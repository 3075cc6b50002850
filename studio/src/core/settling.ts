// The picture follows where it is pulled: what it shows is looked at, and the pulled point is aimed until it is there.
import type { Pose } from 'pantin/web'
import { aimedPose, mixed, type Pull, type Pulled, type Puppet, poseOf, pulledTo } from './strings.ts'

type Point = readonly [number, number]

/** The picture is where it is pulled, if its point is found within this distance. */
const nearEnough = 0.01
/** Looks at the picture after each way to aim, at most. */
const looks = 3
/** What of a miss the next aim makes up for: with all of it, some points would be found beyond their places. */
const gain = 0.8

/** Ways to aim a point at a place that is `by` beside its own. Which one a picture follows better depends on the point. */
const ways: readonly ((puppet: Puppet, from: Pulled, k: number, to: Point, by: Point) => Pulled)[] = [
  // The point and its neighbours go on, and strings stay.
  (_, { pulls, offsets }, k, __, by) => ({ pulls, offsets: mixed(offsets, new Map([[k, by]]), 1, 1) }),
  // Strings are pulled on.
  (puppet, from, k, [x, y], by) => pulledTo(puppet, from, k, [x + by[0], y + by[1]]),
]

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
  const [x, y] = poseOf(puppet, pull).value[k] as [number, number]
  /** How far the point is from its place in the picture of a pull. */
  const look = async (at: Pull): Promise<Point | undefined> => {
    const found = (await find(aimedPose(puppet, at)))?.value[k]
    return found && [x - found[0]!, y - found[1]!]
  }
  const start = await look(pull)
  if (start === undefined) return
  let nearest = { pull, missed: Math.hypot(...start) }
  for (const way of ways) {
    let best = { by: [0, 0] as Point, miss: start }
    let part = gain
    for (let i = 0; i < looks && nearest.missed >= nearEnough; i++) {
      const by = [best.by[0] + part * best.miss[0], best.by[1] + part * best.miss[1]] as const
      const next = { ...pull, aim: way(puppet, pull.aim ?? pull, k, [x, y], by) }
      const miss = await look(next)
      if (miss === undefined) return
      const missed = Math.hypot(...miss)
      // After an aim that was worse, the better one is changed by half as much.
      part = missed < Math.hypot(...best.miss) ? gain : gain / 2
      if (missed < Math.hypot(...best.miss)) best = { by, miss }
      if (missed < nearest.missed) nearest = { pull: next, missed }
    }
  }
  return nearest.pull
}
