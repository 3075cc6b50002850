import type { Detections, KeypointDetector } from '../../model/keypoint-detector.ts'
import { InputError } from '../../util/errors.ts'
import { type DistilLosses, distilLossDefaults } from './config.ts'
import { type Regrid, regrid } from './regrid.ts'

/** What is kept of a teacher's results for one picture: numbers in a row. */

export type LabelName = 'value' | 'jacobian' | 'heatmap' | 'features'

export interface LabelPart {
  readonly name: LabelName
  /** Without the batch. */
  readonly shape: readonly number[]
  /** Index of its first number in a label. */
  readonly offset: number
}

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

/** Weights of losses: those that are given, and else the defaults, of what this teacher gives. */
export function lossesFor(teacher: Teacher, given: Partial<DistilLosses> = {}): DistilLosses {
  return {
    ...distilLossDefaults,
    ...(!teacher.jacobian && { jacobian: 0 }),
    ...(teacher.heatmap === undefined && { divergence: 0 }),
    ...given,
  }
}

/**
 * What has to be kept for these losses.
 *
 * @throws InputError where the teacher does not give what a loss needs.
 */
export function labelLayout(teacher: Teacher, losses: DistilLosses, grids: StudentGrids): LabelLayout {
  const k = teacher.keypoints
  const shapes: [LabelName, readonly number[]][] = [['value', [k, 2]]]
  if (losses.jacobian > 0 && !teacher.jacobian) throw lacks(teacher.path, 'jacobians', 'jacobian')
  if (teacher.jacobian) shapes.push(['jacobian', [k, 2, 2]])
  if (losses.heatmap + losses.divergence > 0) {
    if (teacher.heatmap === undefined) throw lacks(teacher.path, 'heatmaps', 'heatmap and divergence')
    shapes.push(['heatmap', [k, ...grids.heatmap]])
  }
  if (losses.attention + losses.features > 0) {
    if (teacher.features === undefined) throw lacks(teacher.path, 'features', 'attention and features')
    shapes.push(['features', [teacher.features[0], ...grids.features]])
  }
  let offset = 0
  const parts = shapes.map(([name, shape]) => {
    const part = { name, shape, offset }
    offset += shape.reduce((a, b) => a * b, 1)
    return part
  })
  return { parts, length: offset }
}

function lacks(where: string, what: string, losses: string): InputError {
  return new InputError({
    what: `the teacher gives no ${what}`,
    where,
    expected: `an output for the losses: ${losses}`,
    remedy: `set these to 0, or take a teacher that gives ${what}`,
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
