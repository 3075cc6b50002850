// Landmark regression on synthetic heads, as the literature reports it for faces: errors over the distance between the eyes,
// for people on whom the maps were not fitted. Groups of landmarks and thirds of skin tone stand apart.
import { landmarkGroups } from '../synthetic/head/landmarks.ts'
import { landmarkCount } from '../synthetic/made-clips.ts'
import { Mean } from './keypoint-measures.ts'
import { type LandmarkErrors, RegressionFit } from './landmarks.ts'

/** A part of a face whose landmarks are reported apart. */
export type LandmarkPart = 'jaw' | 'brows' | 'nose' | 'eyes' | 'mouth'

export const landmarkParts: readonly LandmarkPart[] = ['jaw', 'brows', 'nose', 'eyes', 'mouth']

/** A third of the heads by the lightness of their skin. */
export type SkinThird = 'darkest' | 'middle' | 'lightest'

export const skinThirds: readonly SkinThird[] = ['darkest', 'middle', 'lightest']

/** How well keypoints tell where the 66 landmarks of heads are. Lengths are over the distance between the eyes' outer corners. */
export interface HeadLandmarkErrors extends LandmarkErrors {
  /** Whether the maps were fitted on other people than those they were measured on. Not so for a single head. */
  readonly strangers: boolean
  /** Of each part of the face: the error forward. */
  readonly parts: Readonly<Record<LandmarkPart, number>>
  /** Of each third of the heads: the error forward. Undefined for fewer than three heads. */
  readonly skin: Readonly<Record<SkinThird, number>> | undefined
}

/** The part to which each landmark belongs. */
const partOf: readonly LandmarkPart[] = landmarkGroups.flatMap(([group, count]) => {
  const name = group.toLowerCase()
  const part = landmarkParts.find((one) => name.includes(one.replace(/s$/, '')))
  return new Array<LandmarkPart>(count).fill(part!)
})

/** The eyes' outer corners, the person's right one first. */
const outerCorners = [36, 45] as const

/** Parts of the heads that are measured apart, if there are as many heads. */
const folds = 10

/** A frame of a head. */
interface Seen {
  /** Number of the head. */
  readonly head: number
  readonly keypoints: Float32Array
  readonly landmarks: Float32Array
  /** Whether a single head's frame is one to fit on. */
  readonly fitted: boolean
}

/** The two maps of one fit. */
interface Maps {
  readonly forward: ReturnType<RegressionFit['solve']>
  readonly backward: ReturnType<RegressionFit['solve']>
}

/**
 * Takes the frames of heads. Each tenth of the heads is measured by maps that are fitted on all others (cross-validation),
 * so that every head is measured as a stranger. A map of 35 keypoints has 70 numbers for each coordinate of a landmark, and
 * half of 40 heads does not determine them. A single head is fitted and measured as a puppet is. All frames are kept until
 * `result`, some 700 bytes each.
 */
export class HeadLandmarkMeter {
  private readonly seen: Seen[] = []
  private readonly lightness: number[] = []

  /** @param keypoints K */
  constructor(private readonly keypoints: number) {}

  /** A head begins. @param lightness of its skin */
  begin(lightness: number): void {
    this.lightness.push(lightness)
  }

  /**
   * A frame of this head.
   *
   * @param keypoints [K, 2]
   * @param landmarks [66, 2], in the same coordinates
   * @param fitted for a single head: whether the frame is one to fit on, or to measure on
   */
  add(keypoints: Float32Array, landmarks: Float32Array, fitted: boolean): void {
    this.seen.push({ head: this.lightness.length - 1, keypoints, landmarks, fitted })
  }

  /** Undefined if there was no frame to fit on, or none to measure on. */
  result(): HeadLandmarkErrors | undefined {
    const errors = new Errors()
    const parts = this.parts()
    if (parts.some(({ fit, measure }) => fit.length === 0 || measure.length === 0)) return undefined
    for (const { fit, measure } of parts) errors.add(measure, this.fit(fit))
    return {
      ...errors.means(),
      fitted: Math.min(...parts.map(({ fit }) => fit.length)),
      frames: parts.reduce((sum, { measure }) => sum + measure.length, 0),
      strangers: this.lightness.length > 1,
      skin: errors.thirds(this.lightness),
    }
  }

  /** Frames to measure on, each with the frames that maps for it are fitted on. */
  private parts(): readonly { readonly fit: readonly Seen[]; readonly measure: readonly Seen[] }[] {
    const heads = this.lightness.length
    if (heads <= 1) {
      return [{ fit: this.seen.filter((one) => one.fitted), measure: this.seen.filter((one) => !one.fitted) }]
    }
    return Array.from({ length: Math.min(folds, heads) }, (_, k) => {
      const measured = ({ head }: Seen) => head % Math.min(folds, heads) === k
      return { fit: this.seen.filter((one) => !measured(one)), measure: this.seen.filter(measured) }
    })
  }

  private fit(frames: readonly Seen[]): Maps {
    const forward = new RegressionFit(2 * this.keypoints, 2 * landmarkCount)
    const backward = new RegressionFit(2 * landmarkCount, 2 * this.keypoints)
    for (const { keypoints, landmarks } of frames) {
      forward.add(keypoints, landmarks)
      backward.add(landmarks, keypoints)
    }
    return { forward: forward.solve(), backward: backward.solve() }
  }
}

/** Means of errors, each frame's over the distance between its eyes. */
class Errors {
  private readonly forward = new Mean()
  private readonly backward = new Mean()
  private readonly meanForward = new Mean()
  private readonly meanBackward = new Mean()
  private readonly parts = new Map(landmarkParts.map((part) => [part, new Mean()]))
  private readonly heads = new Map<number, Mean>()

  add(frames: readonly Seen[], maps: Maps): void {
    for (const { head, keypoints, landmarks } of frames) {
      const length = betweenEyes(landmarks)
      const of = distances(maps.forward.linear(keypoints), landmarks).map((d) => d / length)
      const error = average(of)
      this.forward.add(error)
      this.headMean(head).add(error)
      for (const [part, mean] of this.parts) mean.add(average(of.filter((_, i) => partOf[i] === part)))
      this.backward.add(average(distances(maps.backward.linear(landmarks), keypoints)) / length)
      this.meanForward.add(average(distances(maps.forward.mean, landmarks)) / length)
      this.meanBackward.add(average(distances(maps.backward.mean, keypoints)) / length)
    }
  }

  means() {
    return {
      ...{ forward: this.forward.value, backward: this.backward.value },
      mean: { forward: this.meanForward.value, backward: this.meanBackward.value },
      parts: Object.fromEntries(Array.from(this.parts, ([part, { value }]) => [part, value])) as Record<
        LandmarkPart,
        number
      >,
    }
  }

  /** Each head counts once. @param lightness of all heads, by number */
  thirds(lightness: readonly number[]): Record<SkinThird, number> | undefined {
    const heads = [...this.heads].sort(([a], [b]) => lightness[a]! - lightness[b]!)
    if (heads.length < skinThirds.length) return undefined
    const edge = (k: number) => Math.round((k * heads.length) / skinThirds.length)
    return Object.fromEntries(
      skinThirds.map((third, k) => [
        third,
        average(heads.slice(edge(k), edge(k + 1)).map(([, { value }]) => value)),
      ]),
    ) as Record<SkinThird, number>
  }

  private headMean(head: number): Mean {
    const mean = this.heads.get(head) ?? new Mean()
    this.heads.set(head, mean)
    return mean
  }
}

/** Distance between the eyes' outer corners. @param landmarks [66, 2] */
export function betweenEyes(landmarks: Float32Array): number {
  const [a, b] = outerCorners
  return Math.hypot(landmarks[2 * a]! - landmarks[2 * b]!, landmarks[2 * a + 1]! - landmarks[2 * b + 1]!)
}

/** Distance of each point of [N, 2] to its true place. */
const distances = (found: ArrayLike<number>, truth: ArrayLike<number>): number[] =>
  Array.from({ length: truth.length / 2 }, (_, i) =>
    Math.hypot(found[2 * i]! - truth[2 * i]!, found[2 * i + 1]! - truth[2 * i + 1]!),
  )

const average = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length
