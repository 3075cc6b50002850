// The puppets of the demo: clips that are trained on, clips that are not, and the pictures that move.
import { Random } from '../../util/random.ts'

/** The clips of a demo: puppets from seeds, grouped by what training sees of them. */
export interface Cast {
  /** Clips to train on. */
  readonly trained: readonly string[]
  /** Movements that were not trained on, of puppets that were. */
  readonly familiar: readonly string[]
  /** Puppets that were not trained on. */
  readonly strangers: readonly string[]
  /** The still picture of a puppet that was never seen. */
  readonly source: string
  /** The still picture of one that was trained on. */
  readonly familiarSource: string
  /** The clip that moves both, of a third puppet that was never seen. */
  readonly driving: string
  /** The same clip at a size that is good to look at. */
  readonly drivingLarge: string
}

const puppets = 8
const trainedFrames = 48
/** Trained frames are an eighth of a second apart, so that the same number of frames shows more poses. */
const trainedRate = 8

/** Chooses the cast for a seed; `size` is what the model sees, in pixels. */
export function chooseCast(seed: number, size: number): Cast {
  const random = new Random(seed)
  // Each group has its own range of seeds, so that no puppet is in two groups.
  const draw = (group: number) => group * 100_000 + random.integer(100_000)
  const clip = (puppet: number, options: string) => `puppet:${puppet},${options}`
  const trained = Array.from({ length: puppets }, () => draw(1))
  const strangers = Array.from({ length: 4 }, () => draw(2))
  const [source, driving] = [draw(3), draw(4)]
  const still = `frames=1,size=${size}`
  const moving = 'frames=125,rate=25'
  return {
    trained: trained.map((puppet) =>
      clip(puppet, `frames=${trainedFrames},rate=${trainedRate},size=${size}`),
    ),
    familiar: trained
      .slice(0, 4)
      .map((puppet) => clip(puppet, `frames=${trainedFrames + 16},rate=${trainedRate},size=${size}`)),
    strangers: strangers.map((puppet) => clip(puppet, `frames=20,rate=${trainedRate},size=${size}`)),
    source: clip(source, still),
    familiarSource: clip(trained[0]!, still),
    driving: clip(driving, `${moving},size=${size}`),
    drivingLarge: clip(driving, `${moving},size=${4 * size}`),
  }
}

/** Where in the `familiar` clips the movements begin that were not trained on. */
export const familiarFrom = trainedFrames / (trainedFrames + 16)

/** Where in the `strangers` clips measuring begins. Their first frame is the source, and would equal itself. */
export const strangersFrom = 0.2
