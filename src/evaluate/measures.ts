// The table of measures: what an evaluation finds, by name. Reports, studies and the command line read this table.
import type { ClipSquare } from '../faces/framing.ts'
import type { KeypointDetector } from '../model/keypoint-detector.ts'
import type { MotionModel } from '../model/open-model.ts'
import { InputError } from '../util/errors.ts'
import type { EvaluatedFrame } from './evaluated-frame.ts'
import type { TransferError, VideoReconstruction } from './generation.ts'
import { type HeadLandmarkErrors, landmarkParts, skinThirds } from './head-landmarks.ts'
import type { Equivariance, Jitter, TeacherDistance } from './keypoint-measures.ts'
import type { LandmarkErrors } from './landmarks.ts'

/** Measures of a detector: means over all driving frames of all clips. */
export interface DetectorMeasures {
  /** Number of driving frames. */
  readonly frames: number
  /** Under random warps of some of the frames, the same in every evaluation. */
  readonly equivariance: Equivariance
  /** Undefined if no clip has three driving frames. */
  readonly jitter: Jitter | undefined
  /** Undefined without a teacher. */
  readonly teacher: TeacherDistance | undefined
  /**
   * Over the puppets among the clips, whose joints are known; undefined if no clip is a puppet. Lengths are over the torso's.
   * The maps are fitted on the frames before the driving ones, and at least on a clip's first half. They are measured on
   * the rest.
   */
  readonly landmarks: LandmarkErrors | undefined
  /** Over the heads among the clips, whose landmarks are known; missing if no clip is a head. */
  readonly headLandmarks?: HeadLandmarkErrors
  /** By name, the measures with a meter that `registerMeasure` added; missing if it added no such measure. */
  readonly registered?: Readonly<Record<string, number>>
}

/** The result of `evaluate` for a model that can move pictures. */
export interface Evaluation extends VideoReconstruction, DetectorMeasures {
  /** Undefined if no source picture was given. */
  readonly transfer: TransferError | undefined
  /** The square of each clip, and what decided it. */
  readonly squares: readonly ClipSquare[]
  /** What a user should know about the clips' files, a sentence each. */
  readonly notices: readonly string[]
}

/** The result of `evaluate` for a run that holds a detector alone. */
export interface DetectorEvaluation extends DetectorMeasures {
  /** Not measured: a detector alone makes no pictures. */
  readonly l1: undefined
  /** Not measured: a detector alone makes no pictures. */
  readonly psnr: undefined
  /** Not measured: a detector alone makes no pictures. */
  readonly ssim: undefined
  /** Not measured: a detector alone makes no pictures. */
  readonly still: undefined
  /** Not measured: a detector alone makes no pictures. */
  readonly akd: undefined
  /** Not measured: a detector alone makes no pictures. */
  readonly transfer: undefined
  /** The square of each clip, and what decided it. */
  readonly squares: readonly ClipSquare[]
  /** What a user should know about the clips' files, a sentence each. */
  readonly notices: readonly string[]
}

/** Takes a measure over frames that are added one by one. */
export interface MeasureMeter {
  /** A clip begins. @param first its first frame, which the others drive */
  begin?(first: EvaluatedFrame): void | Promise<void>
  /**
   * A driving frame.
   *
   * @param generated the frame that the model makes of the clip's first frame, RGB [size, size, 3]; undefined for the
   * first frame itself, and for a detector alone
   */
  add(frame: EvaluatedFrame, generated: Uint8Array | undefined): void | Promise<void>
  /** Undefined if it could not be measured. */
  result(): number | undefined
}

/** One measure: a number that an evaluation finds. */
export interface Measure {
  /** What it is called in sentences. */
  readonly label: string
  /** What it measures, for the table of the guide: a phrase, in Markdown. */
  readonly help?: string
  /** For the head of a column. */
  readonly short: string
  /** Which values are better. */
  readonly better: 'lower' | 'higher' | 'neither'
  /** Whether it measures generated pictures or keypoints. */
  readonly of: 'pictures' | 'keypoints'
  /** Such as `dB`; undefined for a plain number. */
  readonly unit?: string
  /** The number as it is shown, with its unit (default: four digits after the point). */
  text?(value: number): string
  /** Reads it from an evaluation; undefined if it was not measured. A measure with a meter needs no `read`. */
  read?(found: Evaluation | DetectorEvaluation): number | undefined
  /** Makes a meter, which sees every frame of an evaluation. */
  meter?(model: MotionModel, teacher: KeypointDetector | undefined): MeasureMeter
  /** The number that it has to beat. */
  readonly baseline?: {
    /** What it is called in sentences. */
    readonly label: string
    /** Reads it from an evaluation. */
    read(found: Evaluation | DetectorEvaluation): number | undefined
  }
  /** A remark on one evaluation. */
  note?(found: Evaluation | DetectorEvaluation): string | undefined
}

const percent = (value: number) => `${(100 * value).toFixed(1)}% of the torso`
const finders = { teacher: 'the teacher', own: 'its own detector' } as const

/** The still picture, which any animation has to beat. */
const still = (read: NonNullable<Measure['read']>) => ({ label: 'still picture', read })
const fitNote: Measure['note'] = ({ landmarks }) =>
  landmarks && `fitted on ${landmarks.fitted.toLocaleString('en-US')} frames`

const percentOfEyes = (value: number) => `${(100 * value).toFixed(1)}% between the eyes`

/** `jaw 4.1, brows 3.0, ...%; skin darkest third 3.1, middle 3.0, lightest 2.9%; fitted on other people`. */
const headNote: Measure['note'] = ({ headLandmarks }) => {
  if (headLandmarks === undefined) return undefined
  const { parts, skin, strangers } = headLandmarks
  const list = <N extends string>(names: readonly N[], of: Readonly<Record<N, number>>) =>
    `${names.map((name) => `${name} ${(100 * of[name]).toFixed(1)}`).join(', ')}%`
  return [
    list(landmarkParts, parts),
    ...(skin === undefined ? [] : [`thirds of skin: ${list(skinThirds, skin)}`]),
    strangers ? 'fitted on other people' : 'fitted on the same person',
  ].join('; ')
}

/** All measures, in the order in which they are shown. */
const table = new Map<string, Measure>(
  Object.entries({
    distance: {
      help: 'mean Euclidean distance to the keypoints of the teacher, in units of [-1, 1]',
      ...{ label: 'distance to teacher', short: 'to teacher', better: 'lower', of: 'keypoints' },
      read: ({ teacher }) => teacher?.distance,
    },
    jacobian: {
      help: 'mean difference to the jacobians of the teacher',
      ...{ label: 'jacobian to teacher', short: 'jacobian', better: 'lower', of: 'keypoints' },
      read: ({ teacher }) => teacher?.jacobian,
    },
    ratio: {
      help: 'L1 of the generated frames, divided by L1 of the still picture. 1 is no better than the still picture',
      ...{ label: "l1 over the still picture's", short: 'l1 / still', better: 'lower', of: 'pictures' },
      text: (value) => value.toFixed(2),
      read: ({ l1, still }) => still && l1 / still.l1,
    },
    l1: {
      help: 'mean absolute difference to the true frame, for pixel values from 0 to 1',
      ...{ label: 'l1', short: 'l1', better: 'lower', of: 'pictures' },
      read: ({ l1 }) => l1,
      baseline: still((found) => found.still?.l1),
    },
    psnr: {
      help: 'peak signal-to-noise ratio to the true frame',
      ...{ label: 'psnr', unit: 'dB', short: 'psnr dB', better: 'higher', of: 'pictures' },
      text: (value) => `${value.toFixed(2)} dB`,
      read: ({ psnr }) => psnr,
      baseline: still((found) => found.still?.psnr),
    },
    ssim: {
      help: 'structural similarity to the true frame, at most 1',
      ...{ label: 'ssim', short: 'ssim', better: 'higher', of: 'pictures' },
      read: ({ ssim }) => ssim,
      baseline: still((found) => found.still?.ssim),
    },
    akd: {
      help: 'average keypoint distance, from keypoints of the true frame to keypoints of the generated frame. Mean over coordinates',
      ...{ label: 'akd', unit: 'pixels', short: 'akd px', better: 'lower', of: 'pictures' },
      text: (value) => `${value.toFixed(3)} px`,
      read: ({ akd }) => akd?.pixels,
      baseline: still(({ akd }) => akd?.still),
      note: ({ akd }) => akd && `by ${finders[akd.by]}`,
    },
    equivariance: {
      help: 'if a picture is warped, how far its keypoints are from moving with it, in units of [-1, 1]',
      ...{ label: 'equivariance', short: 'equivariance', better: 'lower', of: 'keypoints' },
      read: ({ equivariance }) => equivariance.value,
    },
    equivarianceJacobian: {
      help: 'the same for the jacobians',
      ...{ label: 'equivariance of jacobians', short: 'eq. jacobian', better: 'lower', of: 'keypoints' },
      read: ({ equivariance }) => equivariance.jacobian,
    },
    jitter: {
      help: 'second difference of keypoints over time, in units of [-1, 1] per frame²',
      ...{ label: 'jitter', short: 'jitter', better: 'lower', of: 'keypoints' },
      read: ({ jitter }) => jitter?.acceleration,
    },
    jitterRelative: {
      help: 'jitter, divided by the first difference: fast motion does not count against a detector',
      ...{ label: 'jitter to speed', short: 'jitter / speed', better: 'lower', of: 'keypoints' },
      read: ({ jitter }) => jitter?.relative,
    },
    landmarks: {
      help: 'for `puppet:` clips: the error of joints that a linear map predicts from keypoints. 0.1 is 10% of a torso',
      ...{ label: 'landmarks from keypoints', short: 'landmarks', better: 'lower', of: 'keypoints' },
      text: percent,
      read: ({ landmarks }) => landmarks?.forward,
      baseline: { label: 'mean landmarks', read: ({ landmarks }) => landmarks?.mean.forward },
      note: fitNote,
    },
    landmarksBackward: {
      help: 'for `puppet:` clips: the error of keypoints that a linear map predicts from joints, in the same unit',
      ...{ label: 'keypoints from landmarks', short: 'backward', better: 'lower', of: 'keypoints' },
      text: percent,
      read: ({ landmarks }) => landmarks?.backward,
      baseline: { label: 'mean keypoints', read: ({ landmarks }) => landmarks?.mean.backward },
      note: fitNote,
    },
    headLandmarks: {
      help: 'for `head:` clips: the error of the 66 landmarks that a linear map predicts from keypoints, on people on whom it was not fitted. 0.03 is 3% of the distance between the outer corners of the eyes',
      ...{ label: 'face landmarks from keypoints', short: 'face landmarks' },
      ...{ better: 'lower', of: 'keypoints', text: percentOfEyes },
      read: ({ headLandmarks }) => headLandmarks?.forward,
      baseline: { label: 'mean landmarks', read: ({ headLandmarks }) => headLandmarks?.mean.forward },
      note: headNote,
    },
    headLandmarksBackward: {
      help: 'for `head:` clips: the error of keypoints that a linear map predicts from landmarks, in the same unit',
      ...{ label: 'keypoints from face landmarks', short: 'face backward' },
      ...{ better: 'lower', of: 'keypoints', text: percentOfEyes },
      read: ({ headLandmarks }) => headLandmarks?.backward,
      baseline: { label: 'mean keypoints', read: ({ headLandmarks }) => headLandmarks?.mean.backward },
    },
    transfer: {
      help: 'with `--source PICTURE`: distance between the place where a frame sends the picture and the place where the picture goes, in units of [-1, 1]',
      ...{ label: 'transfer', short: 'transfer', better: 'lower', of: 'keypoints' },
      read: ({ transfer }) => transfer?.distance,
      baseline: { label: 'unmoved picture', read: ({ transfer }) => transfer?.still },
    },
  } satisfies Readonly<Record<string, Measure & { readonly help: string }>>),
)

/**
 * Adds a measure to the table. From then on `evaluate` takes it if it has a meter, and `eval`, studies and their reports
 * show it.
 *
 * @param name for JSON and CSV: letters and digits
 * @throws InputError if the name is taken or cannot be used, or if the measure has neither `read` nor `meter`.
 */
export function registerMeasure(name: string, measure: Measure): void {
  const problem = table.has(name)
    ? 'there is a measure of this name already'
    : !/^[a-zA-Z]\w*$/.test(name)
      ? 'this is no name for a measure'
      : measure.read === undefined && measure.meter === undefined
        ? 'this measure can neither be read nor taken'
        : undefined
  if (problem === undefined) {
    table.set(name, measure)
    return
  }
  throw new InputError({
    what: problem,
    where: 'registerMeasure',
    got: name,
    expected: 'a new name of letters and digits, and a measure with `read` or `meter`',
  })
}

/** Such as `psnr, dB`. */
export const labelOf = ({ label, unit }: Pick<Measure, 'label' | 'unit'>): string =>
  unit === undefined ? label : `${label}, ${unit}`

/** A number of a measure with its unit. */
export const textOf = ({ text, unit = '' }: Measure, value: number): string =>
  text?.(value) ?? `${value.toFixed(4)} ${unit}`.trimEnd()

/** Names of all measures, in the order in which they are shown. */
export const measureNames = (): string[] => [...table.keys()]

export const findMeasure = (name: string): Measure | undefined => table.get(name)

/** Measures that are taken by meters of their own, by name. */
export const metered = (): [string, NonNullable<Measure['meter']>][] =>
  [...table].flatMap(([name, measure]) => {
    // A meter may need its measure as `this`.
    return measure.meter === undefined ? [] : [[name, (...of) => measure.meter!(...of)]]
  })

/** One measure of an evaluation; undefined if it was not measured. */
export function readMeasure(name: string, found: Evaluation | DetectorEvaluation): number | undefined {
  const measure = table.get(name)
  const value = measure?.read === undefined ? found.registered?.[name] : measure.read(found)
  return value !== undefined && Number.isFinite(value) ? value : undefined
}

/** All numbers of an evaluation by the names of their measures. A measure that was not taken is missing. */
export const measuresOf = (found: Evaluation | DetectorEvaluation): Record<string, number> =>
  Object.fromEntries(
    measureNames().flatMap((name) => {
      const value = readMeasure(name, found)
      return value === undefined ? [] : [[name, value]]
    }),
  )
