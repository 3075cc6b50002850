// What is kept of a teacher's results: for one picture a row of numbers, with maps on the grids of the student; for a pair,
// the picture that the teacher paints, and its motion.
import { join } from 'node:path'
import { parametersOf } from '../../graph/ops/leaf.ts'
import {
  type Detections,
  fromPlanes,
  type KeypointDetector,
  type Keypoints,
  toMatrices,
  toPlanes,
  toPoints,
} from '../../model/keypoint-detector.ts'
import { checkWeights, loadRun, rewriteExactly, targetOf } from '../../model/open-model.ts'
import type { MotionConfig } from '../../motion/config.ts'
import { generatorGraph } from '../../motion/model.ts'
import { weightsFile } from '../../run/run-files.ts'
import { bestDevice } from '../../runtime/devices.ts'
import { createSession } from '../../runtime/node.ts'
import type { Device, Session } from '../../runtime/session.ts'
import { InputError } from '../../util/errors.ts'
import { type DistilLoss, type DistilLosses, distilLosses, type FrameLabel } from '../losses.ts'
import { readPlaces, writePlaces } from '../motion-labels.ts'

/** One result of a teacher within a label. */
export interface LabelPart {
  readonly name: FrameLabel
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
    FrameLabel,
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
const labelNames = Object.keys(results) as FrameLabel[]

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
  const maps: Partial<Record<FrameLabel, Regrid>> = {
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

/** What is kept of what a teacher makes of a pair. */
export interface PairLayout {
  /** Side of the pictures in pixels. */
  readonly size: number
  /** Points of the motion's grid along each axis: those of the student. */
  readonly side: number
  /** Whether there is an occlusion map. */
  readonly occlusion: boolean
}

/** The layout of pairs for a student. */
export const pairLayout = (teacher: MotionConfig, student: MotionConfig): PairLayout => ({
  size: student.size,
  side: Math.round(student.size * student.denseMotion.scaleFactor),
  occlusion: teacher.denseMotion.occlusion && student.denseMotion.occlusion,
})

/** What a teacher makes of a pair: the driving frame, painted from the source. */
export interface Driven {
  /** RGB [size, size, 3] */
  readonly picture: Uint8Array
  /** Where each point comes from in the source: [side, side, 2], x, y in [-1, 1]. */
  readonly flow: Float32Array
  /** [side, side], 1 where the source shows what is needed; undefined if it is not kept. */
  readonly occlusion: Float32Array | undefined
}

/** Bytes of what is kept of a pair: pictures and occlusion in bytes, motion in two bytes for each coordinate. */
export const drivenBytes = ({ size, side, occlusion }: PairLayout): number =>
  3 * size ** 2 + (occlusion ? 5 : 4) * side ** 2

/** Writes what is kept of a pair at the end of a record. */
export function writeDriven(
  record: Uint8Array,
  layout: PairLayout,
  { picture, flow, occlusion }: Driven,
): void {
  const at = record.length - drivenBytes(layout)
  record.set(picture, at)
  const motion = at + picture.length
  writePlaces(new DataView(record.buffer, record.byteOffset), motion, flow)
  if (layout.occlusion)
    record.set(
      occlusion!.map((share) => Math.round(255 * share)),
      motion + 2 * flow.length,
    )
}

/** Reads what `writeDriven` wrote. */
export function readDriven(record: Uint8Array, layout: PairLayout): Driven {
  const { size, side } = layout
  const at = record.length - drivenBytes(layout)
  const motion = at + 3 * size ** 2
  const flow = readPlaces(new DataView(record.buffer, record.byteOffset), motion, 2 * side ** 2)
  const occlusion = Float32Array.from(record.subarray(motion + 2 * flow.length), (byte) => byte / 255)
  return { picture: record.subarray(at, motion), flow, occlusion: layout.occlusion ? occlusion : undefined }
}

/** A teacher's dense motion and generator, for pairs. */
export class PairTeacher {
  private constructor(
    private readonly session: Session,
    private readonly config: MotionConfig,
  ) {}

  /** @throws InputError, FormatError if the run or its weights cannot be used, EnvironmentError if there is no such device. */
  static async open(folder: string, device: Device | 'auto' = 'auto'): Promise<PairTeacher> {
    const { path, config, weights } = await loadRun(folder)
    const graph = generatorGraph(config, { details: ['deformation', 'occlusionMap'] })
    checkWeights(weights, parametersOf(graph), join(path, weightsFile))
    const own = device === 'auto' ? await bestDevice() : device
    const network = await rewriteExactly({ graph, weights }, { target: targetOf(own) })
    const session = await createSession(network.graph, {
      device: own,
      weights: network.weights,
    })
    return new PairTeacher(session, config)
  }

  /**
   * Drives a source by the motion between two sets of keypoints.
   *
   * @param source RGB [size, size, 3]
   */
  async drive(source: Uint8Array, from: Keypoints, to: Keypoints, layout: PairLayout): Promise<Driven> {
    const { size } = this.config
    const matrices = (name: string, { jacobian }: Keypoints) => jacobian && { [name]: toMatrices(jacobian) }
    const results = await this.session.run({
      source: toPlanes(source, size),
      ...{ valueSource: toPoints(from.value), valueDriving: toPoints(to.value) },
      ...matrices('jacobianSource', from),
      ...matrices('jacobianDriving', to),
    })
    const { prediction, deformation, occlusionMap } = results
    const [, h, w] = deformation!.shape as [number, number, number]
    const onGrid = (channels: number) => regrid('mean', [channels, h, w], [layout.side, layout.side])
    const flow = onGrid(2)(planesOf(deformation!.data as Float32Array))
    return {
      picture: fromPlanes(prediction!.data as Float32Array, size),
      flow: pointsOf(flow),
      occlusion: layout.occlusion ? onGrid(1)(occlusionMap!.data as Float32Array) : undefined,
    }
  }

  close(): Promise<void> {
    return this.session.close()
  }
}

/** Points [n, 2] as planes [2, n]. */
const planesOf = (points: Float32Array): Float32Array => {
  const n = points.length / 2
  return points.map((_, i) => points[2 * (i % n) + Math.floor(i / n)]!)
}

/** The inverse of `planesOf`. */
const pointsOf = (planes: Float32Array): Float32Array => {
  const n = planes.length / 2
  return planes.map((_, i) => planes[(i % 2) * n + (i >> 1)]!)
}
