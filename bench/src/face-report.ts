// The report of the part `faces`: text and CSV.
import { type Cell, table, toCsv } from '../../src/report/format.ts'
import type { Machine } from '../../src/run/config-file.ts'
import { movements } from './face-measures.ts'
import { partsOfFace } from './face-points.ts'
import {
  type Compared,
  differences,
  type FaceMeasure,
  type FacesMean,
  type FacesOfClip,
  faceMeasures,
  meanOfFaces,
} from './faces.ts'

/** What `pantin bench faces` prints under --json. */
export interface FacesReport {
  readonly machine: Machine
  /** The model, as it was named. */
  readonly model: string
  /** Distance between the frames that were compared. */
  readonly every: number
  readonly clips: readonly FacesOfClip[]
  readonly mean: FacesMean
  /** Files of sheets. */
  readonly sheets: readonly string[]
}

const bounds: Readonly<Partial<Record<FaceMeasure, string>>> = {
  l1: 'mean at most 0.60, no clip above 0.95',
  psnr: 'at least 3 dB better',
  'gradient where moved': 'at least 0.95',
  akd: 'at most 0.50',
  lids: 'at most 0.50',
  brows: 'at most 0.50',
  mouth: 'at most 0.50',
}

/** One line for each clip, then one for each measure. */
export function describeFaces({ model, every, clips, mean, sheets }: FacesReport): string {
  const ratio = ({ result, still }: Compared) => (result / still).toFixed(2)
  const rows = clips.map(({ clip, frames, withFace, measures }) => [
    clip.split('/').at(-1)!,
    String(frames),
    ...(withFace === frames ? [''] : [`${withFace}`]),
    ratio(measures.l1),
    (measures.psnr.result - measures.psnr.still).toFixed(2),
    measures['gradient where moved'].result.toFixed(2),
    ...(['akd', ...partsOfFace] as const).map((name) => ratio(measures[name])),
  ])
  return [
    `${model}, every ${every === 1 ? 'frame' : `${every} frames`}; ratios are over the still picture's`,
    table(rows, ['clip', 'frames', 'faces', 'l1', 'psnr + dB', 'gradient', 'akd', ...partsOfFace]),
    '',
    table(
      faceMeasures.map((name) => measureRow(name, clips, mean)),
      ['mean over clips', 'result', 'still', 'noise', 'over still', 'most', 'follows', 'wanted'],
    ),
    ...(mean.keypoints === undefined
      ? []
      : [
          `keypoints from the landmarks: ${percent(mean.keypoints)} of the distance between the eyes (wanted: at most 6%)`,
        ]),
    ...(sheets.length > 0 ? [`sheets: ${sheets.join(', ')}`] : []),
  ].join('\n')
}

function measureRow(
  name: FaceMeasure,
  clips: readonly FacesOfClip[],
  { measures, overStill, mostOverStill }: FacesMean,
) {
  const { result, still, noise } = measures[name]
  const movement = movements.find((one) => one === name)
  const follows = movement === undefined ? [] : clips.flatMap(({ follows }) => follows[movement] ?? [])
  const text = (value: number | undefined) => (value === undefined ? '' : show(name, value))
  const ratio = differences.find((one) => one === name)
  return [
    name,
    text(result),
    text(still),
    text(noise),
    ratio === undefined ? '' : overStill[ratio].toFixed(2),
    ratio === undefined ? '' : mostOverStill[ratio].toFixed(2),
    follows.length === 0 ? '' : (follows.reduce((sum, v) => sum + v, 0) / follows.length).toFixed(2),
    bounds[name] ?? '',
  ]
}

const percent = (value: number): string => `${(100 * value).toFixed(2)}%`

/** Distances of landmarks are in percent of the distance between the eyes. */
function show(name: FaceMeasure, value: number): string {
  if (name === 'l1') return value.toFixed(4)
  if (name === 'psnr') return `${value.toFixed(2)} dB`
  return name.startsWith('gradient') ? value.toFixed(3) : percent(value)
}

/** One line for each measure of each clip, and of the mean. */
export function facesCsv({ machine, model, every, clips, mean }: FacesReport): string {
  const digits = (value: number | undefined) => (value === undefined ? null : Number(value.toPrecision(5)))
  const line = (
    { clip, frames, follows }: Pick<FacesOfClip, 'clip' | 'follows'> & { readonly frames: number | null },
    name: FaceMeasure,
    { result, still, noise }: Compared,
    overStill: number | undefined,
  ): Readonly<Record<string, Cell>> => {
    const movement = movements.find((one) => one === name)
    return {
      ...{ model, clip: clip.split('/').at(-1)!, frames, every, measure: name },
      ...{ result: digits(result), still: digits(still), noise: digits(noise), overStill: digits(overStill) },
      ...{ follows: digits(movement && follows[movement]), time: machine.time },
    }
  }
  const lines = faceMeasures.map((name) => {
    const ratio = differences.find((one) => one === name)
    const ofClips = clips.map((found) => {
      const one = found.measures[name]
      return line(found, name, one, ratio && one.result / one.still)
    })
    const ofMean = line(
      { clip: 'mean', frames: null, follows: {} },
      name,
      mean.measures[name],
      ratio && mean.overStill[ratio],
    )
    return [...ofClips, ofMean]
  })
  const none = { noise: null, overStill: null, follows: null }
  const keypoints = [...clips, { ...mean, clip: 'mean', frames: null }].flatMap((found) =>
    found.keypoints === undefined
      ? []
      : {
          ...{
            model,
            clip: found.clip.split('/').at(-1)!,
            frames: found.frames,
            every,
            measure: 'keypoints',
          },
          ...{ result: digits(found.keypoints), still: null, ...none, time: machine.time },
        },
  )
  return toCsv([...lines.flat(), ...keypoints])
}

export const facesReport = (report: Omit<FacesReport, 'mean'>): FacesReport => ({
  ...report,
  mean: meanOfFaces(report.clips),
})
