// The step of distillation as one graph: a student's results of a batch, held to its teacher's.
import { Graph, type Value } from '../../graph/graph.ts'
import { addAll, cast, input, mul, transpose } from '../../graph/ops/index.ts'
import { Scope } from '../../layers/scope.ts'
import type { MotionConfig } from '../../motion/config.ts'
import type { Detection } from '../../motion/detector.ts'
import { spatialSoftmax } from '../../motion/keypoints.ts'
import { detect } from '../../motion/model.ts'
import type { AdamOptions } from '../adam.ts'
import { type DistilLosses, distilLosses, type LabelName } from '../losses.ts'
import { type TrainingStep, withState } from '../step.ts'
import type { LabelLayout } from './labels.ts'

/** What a step of distillation is built with. */
export interface DistilStepOptions {
  readonly batch: number
  readonly layout: LabelLayout
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
 * @returns a step with the inputs `frames` uint8 [batch, size, size, 3] and `label.*`; it reports the loss and
 * each of its terms before they are weighted
 */
export function buildDistilStep(model: MotionConfig, options: DistilStepOptions): TrainingStep {
  const { batch, layout, losses } = options
  const graph = new Graph()
  const scope = Scope.root(graph, { training: true })
  const frames = input(graph, 'frames', 'uint8', [batch, model.size, model.size, 3])
  const pixels = mul(transpose(cast(frames, 'float32'), [0, 3, 1, 2]), 1 / 255)
  const found = detect(scope, pixels, model)
  const labels = new Map(
    layout.parts.map(({ name, shape }) => [
      name,
      input(graph, labelInput(name), 'float32', [batch, ...shape]),
    ]),
  )
  const terms = termsOf(scope, found, labels, { ...options, temperature: model.detector.temperature })
  const weighted = terms.map(([name, term]) => mul(term, losses[name]!))
  return withState(scope, { loss: addAll(weighted), ...Object.fromEntries(terms) }, options.adam)
}

/** The losses that count and that the labels allow, by name. */
function termsOf(
  scope: Scope,
  { keypoints, heatmap, kpMap, predictor }: Detection,
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
  }
  return distilLosses.all.flatMap(({ name, needs, build }) => {
    if (!((losses[name] ?? 0) > 0)) return []
    const [label, own] = [labels.get(needs), found[needs]()]
    if (label === undefined || own === undefined) return []
    return [[name, build({ found: own, label, scope: scope.child('distil') })]]
  })
}
