// Training by a teacher: each step holds the student to what the teacher found in a batch of pictures, or made of a batch of
// pairs. Previews too.
import { drawKeypoints } from '../../animate/preview.ts'
import { TeacherMeter } from '../../evaluate/keypoint-measures.ts'
import { Graph, type Value } from '../../graph/graph.ts'
import { addAll, cast, input, mul, reshape, sliceAxis, transpose } from '../../graph/ops/index.ts'
import type { Tensor } from '../../graph/tensor.ts'
import { Scope } from '../../layers/scope.ts'
import type { Frame } from '../../media/clip.ts'
import { contactSheet } from '../../media/draw.ts'
import type { Keypoints } from '../../model/keypoint-detector.ts'
import type { MotionConfig } from '../../motion/config.ts'
import type { Detection } from '../../motion/detector.ts'
import type { Generation } from '../../motion/generator.ts'
import { spatialSoftmax } from '../../motion/keypoints.ts'
import { animateFrame, detect } from '../../motion/model.ts'
import type { AdamOptions } from '../adam.ts'
import type { Preview, Task, TaskOptions } from '../loop.ts'
import { type DistilLosses, distilLosses, type LabelName } from '../losses.ts'
import { splitKeypoints } from '../reconstruction/step.ts'
import { animated, enlarged, meanDifference } from '../reconstruction/task.ts'
import { EvaluationModel, keypointsOfFrame, type TrainingState } from '../state.ts'
import { type TrainingStep, withState } from '../step.ts'
import type { DistilConfig } from './config.ts'
import type { LabelLayout, PairLayout } from './labels.ts'
import type { Pool } from './pool.ts'

/**
 * The task of distillation.
 *
 * @param generator weights of the teacher's dense motion and generator, which the student takes over
 */
export async function distilTask(
  config: DistilConfig,
  pool: Pool,
  generator: ReadonlyMap<string, Tensor>,
  { openSession, batch }: TaskOptions,
): Promise<Task> {
  const { layout, pair } = pool.form
  const step = stepOf(config, { layout, pair }, batch)
  const { model } = config
  const student = await EvaluationModel.create({
    ...{ frames: pair === undefined ? 1 : 2, size: model.size, layouts: step, openSession },
    build(scope, pixels) {
      if (pair !== undefined) return animated(scope, pixels, model)
      const { value, jacobian } = detect(scope, pixels, model).keypoints
      return { value, ...(jacobian && { jacobian }) }
    },
  })
  return {
    step,
    draw(random) {
      const { frames, labels } = pool.draw(random, batch)
      const fed = Array.from(labels, ([name, label]) => [labelInput(name), label] as const)
      return { frames, ...Object.fromEntries(fed.filter(([name]) => step.feeds.has(name))) }
    },
    preview: (state) => (pair === undefined ? makePreview : makePairPreview)(student, pool, state),
    weights: (trained) =>
      new Map([...Array.from(trained).filter(([name]) => !name.startsWith(trainingOnly)), ...generator]),
    close: () => student.close(),
  }
}

/** The step of a run, on a batch or on the part of one replica. */
export const stepOf = (
  { model, training: { adam }, distillation: { losses, soften } }: DistilConfig,
  layouts: Pick<DistilStepOptions, 'layout' | 'pair'>,
  batch: number,
): TrainingStep => buildDistilStep(model, { batch, adam, losses, soften, ...layouts })

/** Rows of a preview, and frames or pairs that measures are means over. */
const [rows, measured] = [6, 100]

/**
 * One picture: a row a frame, with the teacher's keypoints and with the student's. The student is measured on frames
 * spread over those held out (over all, if none are).
 */
async function makePreview(student: EvaluationModel, pool: Pool, state: TrainingState): Promise<Preview> {
  const all = pool.clips.reduce((sum, { count }) => sum + count, 0)
  const indices = pool.heldOut.length > 0 ? pool.heldOut : Array.from({ length: all }, (_, i) => i)
  const meter = new TeacherMeter()
  const shown = new Set(spread(indices, rows))
  const cells: Frame[] = []
  for (const index of new Set([...spread(indices, measured), ...shown])) {
    const { frames, labels } = pool.read(index)
    const found = keypointsOfFrame(await student.run(state, frames[0]!.slice()), 0)
    const taught = keypointsOf(pool, labels[0]!)
    meter.add(found, taught)
    if (!shown.has(index)) continue
    const frame = enlarged(frames[0]!, pool.size)
    cells.push(frame, drawKeypoints(frame, taught), drawKeypoints(frame, found))
  }
  return { picture: contactSheet(cells, 3), measures: distances(meter) }
}

function distances(meter: TeacherMeter) {
  const { distance, jacobian } = meter.result()!
  return { distance, ...(jacobian !== undefined && { jacobian }) }
}

/**
 * One picture: a row a pair, with source, driving frame, the teacher's result and the student's. Measures are those of
 * keypoints, and the mean absolute differences to the driving frames: `l1` of the student's results, `teacher` of the
 * teacher's, `still` of the sources. Pairs are held out (or any, if none are).
 */
async function makePairPreview(student: EvaluationModel, pool: Pool, state: TrainingState): Promise<Preview> {
  const indices = spread(pool.heldOut.length > 0 ? pool.heldOut : pool.trained, measured)
  const meter = new TeacherMeter()
  const shown = new Set(spread(indices, rows))
  const cells: Frame[] = []
  const sums = { l1: 0, teacher: 0, still: 0 }
  for (const index of indices) {
    const { frames, labels, driven } = pool.read(index)
    const [source, driving] = frames as [Uint8Array, Uint8Array]
    const outputs = await student.run(state, new Uint8Array(Buffer.concat(frames)))
    const prediction = outputs.prediction!.data as Uint8Array
    labels.forEach((label, i) => {
      meter.add(keypointsOfFrame(outputs, i), keypointsOf(pool, label))
    })
    sums.l1 += meanDifference(prediction, driving)
    sums.teacher += meanDifference(driven!.picture, driving)
    sums.still += meanDifference(source, driving)
    if (!shown.has(index)) continue
    cells.push(...[source, driving, driven!.picture, prediction].map((data) => enlarged(data, pool.size)))
  }
  const means = Object.entries(sums).map(([name, sum]) => [name, sum / indices.length] as const)
  return { picture: contactSheet(cells, 4), measures: { ...distances(meter), ...Object.fromEntries(means) } }
}

/** The teacher's keypoints in the label of a frame. */
function keypointsOf({ form: { layout } }: Pool, label: Float32Array): Keypoints {
  const numbers = (wanted: 'value' | 'jacobian') => {
    const found = layout.parts.find(({ name }) => name === wanted)
    const length = found?.shape.reduce((a, b) => a * b, 1) ?? 0
    return found && label.subarray(found.offset, found.offset + length)
  }
  return { value: numbers('value')!, jacobian: numbers('jacobian') }
}

/** At most `count` of the indices, evenly. */
function spread(indices: readonly number[], count: number): number[] {
  const n = Math.min(count, indices.length)
  return Array.from({ length: n }, (_, i) => indices[Math.floor(((i + 0.5) * indices.length) / n)]!)
}

/** What a step of distillation is built with. */
export interface DistilStepOptions {
  readonly batch: number
  readonly layout: LabelLayout
  /** Of pairs, if the whole model is distilled. */
  readonly pair: PairLayout | undefined
  readonly losses: DistilLosses
  readonly soften: number
  readonly adam: AdamOptions
}

/** Name of the input that holds labels of one name. */
export const labelInput = (name: LabelName): string => `label.${name}`

/** The names of parameters that only training needs begin so. The run's weights are saved without them. */
export const trainingOnly = 'distil.'

/**
 * Builds a step of distillation.
 *
 * @returns a step with the inputs `frames` uint8 [batch, size, size, 3], or twice as many for pairs, sources first, and
 * `label.*`; it reports the loss and each of its terms before they are weighted
 */
export function buildDistilStep(model: MotionConfig, options: DistilStepOptions): TrainingStep {
  const { batch, layout, pair, losses } = options
  const graph = new Graph()
  const scope = Scope.root(graph, { training: true })
  const n = pair === undefined ? batch : 2 * batch
  const pixels = images(input(graph, 'frames', 'uint8', [n, model.size, model.size, 3]))
  const found = detect(scope, pixels, model)
  const labels = new Map<LabelName, Value>(
    layout.parts.map(({ name, shape }) => [name, input(graph, labelInput(name), 'float32', [n, ...shape])]),
  )
  let made: Generation | undefined
  if (pair !== undefined) {
    const [source, driving] = halves(pixels)
    const [from, to] = splitKeypoints(found.keypoints, 2)
    made = animateFrame(scope, source, from!, to!, model)
    for (const [name, value] of pairLabels(graph, pair, batch)) labels.set(name, value)
    labels.set('driving', driving)
  }
  const { temperature } = model.detector
  const terms = termsOf(scope, { ...found, made }, labels, { ...options, temperature })
  const weighted = terms.map(([name, term]) => mul(term, losses[name]!))
  return withState(scope, { loss: addAll(weighted), ...Object.fromEntries(terms) }, options.adam)
}

/** Frames as fed, as images [N, 3, H, W] in [0, 1]. */
const images = (frames: Value): Value => mul(transpose(cast(frames, 'float32'), [0, 3, 1, 2]), 1 / 255)

function halves(all: Value): [Value, Value] {
  const n = all.shape[0]! / 2
  return [sliceAxis(all, 0, 0, n), sliceAxis(all, 0, n, 2 * n)]
}

/** The inputs that hold what the teacher makes of pairs. */
function pairLabels(graph: Graph, { size, side, occlusion }: PairLayout, n: number): [LabelName, Value][] {
  const named = (name: LabelName, shape: readonly number[]): [LabelName, Value] => [
    name,
    input(graph, labelInput(name), 'float32', shape),
  ]
  return [
    ['picture', images(input(graph, labelInput('picture'), 'uint8', [n, size, size, 3]))],
    named('flow', [n, side, side, 2]),
    ...(occlusion ? [named('occlusion', [n, side, side])] : []),
  ]
}

/** The losses that count and that the labels allow, by name. */
function termsOf(
  scope: Scope,
  { keypoints, heatmap, kpMap, predictor, made }: Detection & { readonly made: Generation | undefined },
  labels: ReadonlyMap<LabelName, Value>,
  { losses, soften, temperature }: DistilStepOptions & { readonly temperature: number },
): [name: string, term: Value][] {
  let softened: Value | undefined
  /** The student's results. */
  const found: Readonly<Record<LabelName, () => Value | undefined>> = {
    value: () => keypoints.value,
    jacobian: () => keypoints.jacobian,
    heatmap() {
      softened ??= soften === 1 ? heatmap : spatialSoftmax(kpMap, temperature * soften)
      return softened
    },
    features: () => predictor,
    driving: () => made?.prediction,
    picture: () => made?.prediction,
    flow: () => made?.deformation,
    occlusion() {
      const map = made?.occlusionMap
      return map && reshape(map, [map.shape[0]!, ...map.shape.slice(2)])
    },
  }
  return distilLosses.all.flatMap(({ name, needs, build }) => {
    if (!((losses[name] ?? 0) > 0)) return []
    const [label, own] = [labels.get(needs), found[needs]()]
    if (label === undefined || own === undefined) return []
    return [[name, build({ found: own, label, scope: scope.child('distil') })]]
  })
}
