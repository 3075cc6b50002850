// The part `faces`: a model moves the first frame of real clips by their other frames. Results are compared with the true
// frames as pictures, and by the landmarks of somebody else's networks.
import { openClip } from '../../src/clips/source.ts'
import { firstDrivingFrame } from '../../src/evaluate/evaluate.ts'
import { luma } from '../../src/evaluate/generation.ts'
import { frameClip } from '../../src/faces/framing.ts'
import { framingOf } from '../../src/faces/node.ts'
import { type Clip, frameAt } from '../../src/media/clip.ts'
import type { Square } from '../../src/media/fit.ts'
import { squareFrame } from '../../src/model/keypoint-detector.ts'
import { loadRun, type MotionModel, openModel } from '../../src/model/open-model.ts'
import type { Device } from '../../src/runtime/session.ts'
import { tiedNames } from '../../src/synthetic/made-clips.ts'
import { InputError } from '../../src/util/errors.ts'
import type { TurnedSquare } from './face-crop.ts'
import {
  byName,
  correlation,
  type Face,
  faceDistances,
  faceOf,
  keypointsApart,
  type Movement,
  movements,
} from './face-measures.ts'
import { type FaceFinder, openFaceFinder } from './face-mesh.ts'
import { partsOfFace } from './face-points.ts'
import { difference, gradientSum, movedPixels } from './picture-measures.ts'

/** What is measured of results. Landmarks are those of the foreign networks; distances are parts of that between the eyes. */
export const faceMeasures = [
  'l1',
  'psnr',
  'gradient',
  'gradient where moved',
  'akd',
  ...partsOfFace,
  ...movements,
] as const
export type FaceMeasure = (typeof faceMeasures)[number]

/** Measures that are differences, so that a part of the still picture's means something. */
export const differences = faceMeasures.filter(
  (name): name is FaceDifference => name !== 'psnr' && name !== 'gradient' && name !== 'gradient where moved',
)
export type FaceDifference = Exclude<FaceMeasure, 'psnr' | 'gradient' | 'gradient where moved'>

/** One measure of the results of a clip. */
export interface Compared {
  readonly result: number
  /** Of the first frame as it is. */
  readonly still: number
  /**
   * Landmarks alone: of the true frames themselves, if the networks start from another square. No result can be
   * expected to come below it.
   */
  readonly noise?: number
}

/** What was measured on one clip. */
export interface FacesOfClip {
  readonly clip: string
  /** Frames that were compared. */
  readonly frames: number
  /** Frames in which the true face was found; landmarks are compared in these. */
  readonly withFace: number
  /** The part of the clip that the model saw, in pixels. */
  readonly square: Square
  readonly measures: Readonly<Record<FaceMeasure, Compared>>
  /** Correlation over the frames of each movement in results and true frames: 1 is best, the still picture's is none. */
  readonly follows: Readonly<Partial<Record<Movement, number>>>
  /** Mean distance of the model's own keypoints to the foreign landmarks in true frames; undefined if none are tied to landmarks. */
  readonly keypoints?: number
}

/** A frame that was compared, for sheets. Pictures are RGB [size, size, 3]. */
export interface ComparedFrame {
  /** Its number in the clip. */
  readonly number: number
  readonly truth: Uint8Array
  readonly result: Uint8Array
  /** Undefined if no face was found. */
  readonly face: Face | undefined
}

/** Distance between the frames that are compared. A blink takes five frames and more. */
export const defaultEvery = 4

export interface FacesOptions {
  /** Where in each clip the driving frames begin, as a fraction (default 0). The source is always the first frame. */
  readonly from?: number
  /** Distance between the frames that are compared (default `defaultEvery`). */
  readonly every?: number
  /** Which square of each clip: see `parseCrop` (default `face`). */
  readonly crop?: string
  readonly device?: Device | 'auto'
  /** Threads of the foreign networks. */
  readonly threads?: number
  readonly signal?: AbortSignal
  /** A clip begins, and then every frame that was compared. */
  onClip?(clip: string, source: Uint8Array): void
  onFrame?(frame: ComparedFrame): void
  /** A clip was measured. */
  onMeasured?(found: FacesOfClip): Promise<void>
  onProgress?(done: number, total: number): void
}

/**
 * Measures a model on clips of faces.
 *
 * @param run a folder of a run
 * @param clips names of clips
 * @throws InputError for a run or clip that cannot serve, or a clip in whose first frame no face is found.
 * EnvironmentError if the foreign networks are not installed.
 */
export async function benchFaces(
  run: string,
  clips: readonly string[],
  options: FacesOptions = {},
): Promise<FacesOfClip[]> {
  const { device = 'cpu', threads, signal } = options
  const finder = await openFaceFinder(threads === undefined ? {} : { threads })
  const opened: Clip[] = []
  try {
    const { tie } = await loadRun(run, { signal })
    const model = await openModel(run, { device, ...(signal && { signal }) })
    try {
      for (const name of clips) opened.push(await openClip(name, { signal }))
      const { from = 0, every = defaultEvery, onProgress } = options
      const count = ({ frameCount }: Clip) =>
        Math.ceil((frameCount - Math.max(1, firstDrivingFrame(frameCount, from))) / every)
      const total = opened.reduce((sum, clip) => sum + count(clip), 0)
      let done = 0
      const found: FacesOfClip[] = []
      for (const clip of opened) {
        const one = await facesOfClip(model, finder, clip, {
          ...options,
          names: tiedNames[tie],
          onFrame(frame) {
            options.onFrame?.(frame)
            onProgress?.(++done, total)
          },
        })
        found.push(one)
        await options.onMeasured?.(one)
      }
      return found
    } finally {
      await model.close()
    }
  } finally {
    await finder.close()
    for (const clip of opened) await clip.close()
  }
}

/** The noise of landmarks is measured on every n-th of the compared frames. */
const noiseEvery = 4
/** Another square to start from: a part of its side, and radians. */
const shifted = ({ x, y, side, angle }: TurnedSquare): TurnedSquare => ({
  ...{ x: x + 0.04 * side, y: y - 0.03 * side },
  ...{ side: 1.05 * side, angle: angle + 0.05 },
})
/** Presence from which on the mesh's network sees a face. */
const present = 0.5

async function facesOfClip(
  model: Pick<MotionModel, 'config' | 'detect' | 'encode' | 'generate'>,
  finder: FaceFinder,
  clip: Clip,
  options: FacesOptions & { readonly names: readonly string[] },
): Promise<FacesOfClip> {
  const { from = 0, every = defaultEvery, crop = 'face', names, signal } = options
  const { size } = model.config
  const framing = framingOf({ fit: 'crop', crop: 'face' }, { crop, signal })
  const { fitter } = await frameClip(clip, size, framing)
  const source = fitter(await frameAt(clip, 0))
  options.onClip?.(clip.name, source)
  const [kpSource, encoded] = [await model.detect(source), await model.encode(source)]
  const sourceMesh = await finder.mesh(squareFrame(source))
  if (sourceMesh.presence < present) throw noFace(clip.name)
  const still = { luma: luma(source), face: faceOf(sourceMesh.points, sourceMesh.points) }

  const sums = new Sums()
  const shown: { truth: Face; result: Face }[] = []
  const apart: number[] = []
  let frames = 0
  let last = sourceMesh.square
  const first = Math.max(1, firstDrivingFrame(clip.frameCount, from))
  for await (const frame of clip.frames({ fromFrame: first, step: every })) {
    signal?.throwIfAborted()
    const truth = fitter(frame)
    const kpDriving = await model.detect(truth)
    const result = await model.generate(encoded, kpSource, kpDriving)
    sums.addPictures(truth, result, source, still.luma, size)

    const picture = squareFrame(truth)
    const start = (await finder.box(picture)) ?? last
    const mesh = await finder.mesh(picture, start)
    let face: Face | undefined
    if (mesh.presence >= present) {
      last = mesh.square
      const made = squareFrame(result)
      const resultMesh = await finder.mesh(made, (await finder.box(made)) ?? mesh.square)
      face = faceOf(mesh.points, sourceMesh.points)
      const resultFace = faceOf(resultMesh.points, sourceMesh.points)
      sums.addFaces('result', face, resultFace, sourceMesh.points)
      sums.addFaces('still', face, still.face, sourceMesh.points)
      const off = keypointsApart(kpDriving.value, names, mesh.points, size)
      if (off !== undefined) apart.push(off)
      if (shown.length % noiseEvery === 0) {
        const again = await finder.mesh(picture, shifted(start))
        sums.addFaces('noise', face, faceOf(again.points, sourceMesh.points), sourceMesh.points)
      }
      shown.push({ truth: face, result: resultFace })
    }
    options.onFrame?.({ number: first + every * frames, truth, result, face })
    frames++
  }
  const { left, top, width } = fitter.window
  const square = { left, top, side: width }
  const follows = movements.flatMap((name) => {
    const along = (of: 'truth' | 'result') => shown.map((one) => one[of].movements[name])
    const value = correlation(along('truth'), along('result'))
    return value === undefined ? [] : [[name, value] as const]
  })
  return {
    ...{ clip: clip.name, frames, withFace: shown.length, square },
    ...{ measures: sums.result(), follows: Object.fromEntries(follows) },
    ...(apart.length > 0 && { keypoints: meanOf(apart) }),
  }
}

type Of = 'result' | 'still' | 'noise'

/** Sums over the frames of a clip. */
class Sums {
  private readonly totals = new Map<string, number>()
  private readonly counts = new Map<string, number>()

  addPictures(
    truth: Uint8Array,
    result: Uint8Array,
    source: Uint8Array,
    sourceLuma: Float64Array,
    side: number,
  ): void {
    const trueLuma = luma(truth)
    const moved = movedPixels(trueLuma, sourceLuma, side)
    const made = { result: luma(result), still: sourceLuma, truth: trueLuma } as const
    for (const [of, brightness] of Object.entries(made)) {
      this.add(of, 'gradient', gradientSum(brightness, side))
      this.add(of, 'gradient where moved', gradientSum(brightness, side, moved))
    }
    for (const [of, picture] of [
      ['result', result],
      ['still', source],
    ] as const) {
      const { l1, psnr } = difference(truth, picture)
      this.add(of, 'l1', l1)
      this.add(of, 'psnr', psnr)
    }
  }

  addFaces(of: Of, truth: Face, made: Face, source: Float64Array): void {
    const found = faceDistances(truth, made, source)
    this.add(of, 'akd', found.akd)
    for (const part of partsOfFace) this.add(of, part, found.parts[part])
    for (const name of movements) this.add(of, name, found.movements[name])
  }

  result(): Record<FaceMeasure, Compared> {
    const compared = (name: FaceMeasure): Compared => {
      if (name === 'gradient' || name === 'gradient where moved') {
        const truth = this.total('truth', name)
        return { result: this.total('result', name) / truth, still: this.total('still', name) / truth }
      }
      const [result, still, noise] = [
        this.mean('result', name),
        this.mean('still', name),
        this.mean('noise', name),
      ]
      return { result, still, ...(Number.isFinite(noise) && { noise }) }
    }
    return Object.fromEntries(faceMeasures.map((name) => [name, compared(name)])) as Record<
      FaceMeasure,
      Compared
    >
  }

  private add(of: string, name: string, value: number): void {
    const key = `${of} ${name}`
    this.totals.set(key, (this.totals.get(key) ?? 0) + value)
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1)
  }

  private total = (of: string, name: string): number => this.totals.get(`${of} ${name}`) ?? 0
  private mean = (of: string, name: string): number =>
    this.total(of, name) / (this.counts.get(`${of} ${name}`) ?? 0)
}

/** Means over clips. */
export interface FacesMean {
  readonly measures: Readonly<Record<FaceMeasure, Compared>>
  /** Mean over clips of each difference over the still picture's. */
  readonly overStill: Readonly<Record<FaceDifference, number>>
  /** The largest of these. */
  readonly mostOverStill: Readonly<Record<FaceDifference, number>>
  /** See `FacesOfClip`. */
  readonly keypoints?: number
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length

/** @param clips at least one */
export function meanOfFaces(clips: readonly FacesOfClip[]): FacesMean {
  const keypoints = clips.flatMap(({ keypoints: own }) => own ?? [])
  const ratios = (name: FaceMeasure) =>
    clips.map(({ measures }) => measures[name].result / measures[name].still)
  const compared = (name: FaceMeasure): Compared => {
    const noise = clips.flatMap(({ measures }) => measures[name].noise ?? [])
    return {
      result: meanOf(clips.map(({ measures }) => measures[name].result)),
      still: meanOf(clips.map(({ measures }) => measures[name].still)),
      ...(noise.length > 0 && { noise: meanOf(noise) }),
    }
  }
  return {
    measures: Object.fromEntries(faceMeasures.map((name) => [name, compared(name)])) as Record<
      FaceMeasure,
      Compared
    >,
    overStill: byName(differences, (name) => meanOf(ratios(name))),
    mostOverStill: byName(differences, (name) => Math.max(...ratios(name))),
    ...(keypoints.length > 0 && { keypoints: meanOf(keypoints) }),
  }
}

const noFace = (where: string) =>
  new InputError({
    what: 'no face is found in the first frame',
    where,
    expected: 'a clip that begins with a face',
    remedy: 'choose the square with --crop',
  })
