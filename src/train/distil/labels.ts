// What is kept of a teacher's results for one picture: a row of numbers, with maps on the grids of the student.
import type { Detections, KeypointDetector } from '../../model/keypoint-detector.ts'
import { InputError } from '../../util/errors.ts'
import { type DistilLoss, type DistilLosses, distilLosses, type LabelName } from '../losses.ts'

/** One result of a teacher within a label. */
export interface LabelPart {
  readonly name: LabelName
  /** Without the batch. */
  readonly shape: readonly number[]
  /** Index of its first number in a label. */
  readonly offset: number
}

/** What a label consists of. */
export interface LabelLayout {
  readonly parts: readonly LabelPart[]
  /** Numbers of a label. */
  readonly length: number
}

/** Grids of the student's maps, height and width. */
export interface StudentGrids {
  readonly heatmap: readonly [number, number]
  readonly features: readonly [number, number]
}

type Teacher = Pick<KeypointDetector, 'path' | 'keypoints' | 'jacobian' | 'heatmap' | 'features'>

/** What a teacher may give, in words, and the shapes of labels: undefined if it does not give it. */
const results: Readonly<
  Record<
    LabelName,
    { readonly words: string; shape(teacher: Teacher, grids: StudentGrids): readonly number[] | undefined }
  >
> = {
  value: { words: 'keypoints', shape: ({ keypoints }) => [keypoints, 2] },
  jacobian: {
    words: 'jacobians',
    shape: ({ keypoints, jacobian }) => (jacobian ? [keypoints, 2, 2] : undefined),
  },
  heatmap: {
    words: 'heatmaps',
    shape: ({ keypoints, heatmap }, grids) => heatmap && [keypoints, ...grids.heatmap],
  },
  features: {
    words: 'features',
    shape: ({ features }, grids) => features && [features[0], ...grids.features],
  },
}
const labelNames = Object.keys(results) as LabelName[]

/**
 * What has to be kept for these losses: keypoints and jacobians always, maps if a loss compares them.
 *
 * @throws InputError if the teacher does not give what a loss needs.
 */
export function labelLayout(teacher: Teacher, losses: DistilLosses, grids: StudentGrids): LabelLayout {
  const parts: LabelPart[] = []
  let length = 0
  for (const name of labelNames) {
    const comparing = distilLosses.all.filter(({ needs }) => needs === name)
    const isCompared = comparing.some((loss) => (losses[loss.name] ?? 0) > 0)
    const shape = results[name].shape(teacher, grids)
    if (isCompared && shape === undefined) throw lacks(teacher.path, results[name].words, comparing)
    const isKept = isCompared || name === 'value' || name === 'jacobian'
    if (shape === undefined || !isKept) continue
    parts.push({ name, shape, offset: length })
    length += shape.reduce((a, b) => a * b, 1)
  }
  return { parts, length }
}

function lacks(where: string, words: string, losses: readonly DistilLoss[]): InputError {
  return new InputError({
    what: `the teacher gives no ${words}`,
    where,
    expected: `an output for the losses: ${losses.map(({ name }) => name).join(' and ')}`,
    remedy: `set these to 0, or take a teacher that gives ${words}`,
  })
}

/** Makes labels of a teacher's results for one picture. */
export function labeller(
  { heatmap, features }: Pick<KeypointDetector, 'heatmap' | 'features'>,
  layout: LabelLayout,
  grids: StudentGrids,
  soften: number,
): (found: Detections) => Float32Array {
  const maps: Partial<Record<LabelName, Regrid>> = {
    ...(heatmap && { heatmap: regrid('mass', heatmap, grids.heatmap) }),
    ...(features && { features: regrid('mean', features, grids.features) }),
  }
  return (found) => {
    const label = new Float32Array(layout.length)
    for (const { name, offset } of layout.parts) {
      const given = found[name]!
      const numbers = name === 'heatmap' ? softened(given, heatmap![0], soften) : given
      label.set(maps[name]?.(numbers) ?? numbers, offset)
    }
    return label
  }
}

/** Softmax of a higher temperature, of its results: each p to the power 1 / soften, of sum 1 again. */
function softened(maps: Float32Array, count: number, soften: number): Float32Array {
  if (soften === 1) return maps
  const out = maps.map((p) => p ** (1 / soften))
  const area = maps.length / count
  for (let k = 0; k < count; k++) {
    const map = out.subarray(k * area, (k + 1) * area)
    const sum = map.reduce((total, p) => total + p, 0)
    map.forEach((p, i) => {
      map[i] = p / sum
    })
  }
  return out
}

// Maps of one grid on another. Both grids span [-1, 1] with the centres of their first and last cells on the ends, as
// keypoints are measured. Everything here is a matrix for rows times a map times a matrix for columns.

/** [to, from], row by row. */
type Lines = readonly Float32Array[]

const position = (i: number, size: number) => (size === 1 ? 0 : (2 * i) / (size - 1) - 1)

/** Shares each cell's mass between the two nearest of the other grid: sums and mean coordinates stay the same. */
function sharing(from: number, to: number): Lines {
  const lines = Array.from({ length: to }, () => new Float32Array(from))
  for (let i = 0; i < from; i++) {
    const at = ((position(i, from) + 1) / 2) * (to - 1)
    const low = Math.min(Math.floor(at), Math.max(0, to - 2))
    const part = at - low
    lines[low]![i]! += 1 - part
    if (part > 0) lines[low + 1]![i]! += part
  }
  return lines
}

/** Means of the cells around each of the other grid, by a tent that is as wide as the coarser cells. */
function averaging(from: number, to: number): Lines {
  const width = Math.max(1, from / to)
  return Array.from({ length: to }, (_, i) => {
    const at = ((position(i, to) + 1) / 2) * (from - 1)
    const line = Float32Array.from({ length: from }, (_, j) => Math.max(0, 1 - Math.abs(j - at) / width))
    const sum = line.reduce((total, part) => total + part, 0)
    return line.map((part) => part / sum)
  })
}

/** Brings maps [C, h, w] to another grid [C, h', w']. */
type Regrid = (maps: Float32Array) => Float32Array

/**
 * @param kind `mass`: of distributions, whose sum and mean coordinate stay; `mean`: of features.
 * @param from channels, height and width
 * @returns a function from maps [C, h, w] to maps [C, h', w']
 */
export function regrid(
  kind: 'mass' | 'mean',
  [channels, h, w]: readonly [number, number, number],
  [toH, toW]: readonly [number, number],
): Regrid {
  if (h === toH && w === toW) return (maps) => maps
  const lines = kind === 'mass' ? sharing : averaging
  const [down, across] = [lines(h, toH), lines(w, toW)]
  return (maps) => {
    const out = new Float32Array(channels * toH * toW)
    const half = new Float32Array(h * toW)
    for (let c = 0; c < channels; c++) {
      for (let y = 0; y < h; y++) {
        for (let x = 0; x < toW; x++) {
          const line = across[x]!
          let sum = 0
          for (let i = 0; i < w; i++) sum += line[i]! * maps[(c * h + y) * w + i]!
          half[y * toW + x] = sum
        }
      }
      for (let y = 0; y < toH; y++) {
        const line = down[y]!
        for (let x = 0; x < toW; x++) {
          let sum = 0
          for (let i = 0; i < h; i++) sum += line[i]! * half[i * toW + x]!
          out[(c * toH + y) * toW + x] = sum
        }
      }
    }
    return out
  }
}
