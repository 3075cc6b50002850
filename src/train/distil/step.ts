import { Graph, type Value } from '../../graph/graph.ts'
import { addAll, cast, conv, input, mul, transpose } from '../../graph/ops/index.ts'
import { Scope } from '../../layers/scope.ts'
import type { MotionConfig } from '../../motion/config.ts'
import type { Detection } from '../../motion/detector.ts'
import { spatialSoftmax } from '../../motion/keypoints.ts'
import { detect } from '../../motion/model.ts'
import type { AdamOptions } from '../adam.ts'
import { type TrainingStep, withState } from '../step.ts'
import type { DistilLosses } from './config.ts'
import type { LabelLayout, LabelName } from './labels.ts'
import {
  attentionDifference,
  divergence,
  featureDifference,
  heatmapDifference,
  meanDistance,
  meanSquare,
} from './losses.ts'

export interface DistilStepOptions {
  readonly batch: number
  readonly layout: LabelLayout
  readonly losses: DistilLosses
  readonly soften: number
  readonly adam: AdamOptions
}

/** Name of the input that holds a part of the labels. */
export const labelInput = (name: LabelName): string => `label.${name}`

/** Parameters that only training needs begin so; the run's weights are without them. */
export const trainingOnly = 'distil.'

/**
 * One step of distillation: the student's keypoints, jacobians and maps of a batch, held to the teacher's.
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
  const weighted = terms.map(([name, term]) => mul(term, losses[name]))
  return withState(scope, { loss: addAll(weighted), ...Object.fromEntries(terms) }, options.adam)
}

type Term = readonly [keyof DistilLosses, Value]

/** The losses that count, of those that the labels allow. */
function termsOf(
  scope: Scope,
  found: Detection,
  labels: ReadonlyMap<LabelName, Value>,
  { losses, soften, temperature }: DistilStepOptions & { readonly temperature: number },
): Term[] {
  const { value, jacobian } = found.keypoints
  const terms: Term[] = []
  const add = (name: keyof DistilLosses, of: LabelName, make: (label: Value) => Value) => {
    const label = labels.get(of)
    if (losses[name] > 0 && label !== undefined) terms.push([name, make(label)])
  }
  add('value', 'value', (label) => meanSquare(value, label))
  add('distance', 'value', (label) => meanDistance(value, label))
  if (jacobian !== undefined) add('jacobian', 'jacobian', (label) => meanSquare(jacobian, label))
  const heatmap = soften === 1 ? found.heatmap : spatialSoftmax(found.kpMap, temperature * soften)
  add('heatmap', 'heatmap', (label) => heatmapDifference(heatmap, label))
  add('divergence', 'heatmap', (label) => divergence(heatmap, label))
  add('attention', 'features', (label) => attentionDifference(found.predictor, label))
  add('features', 'features', (label) =>
    featureDifference(adapted(scope, found.predictor, label.shape[1]!), label),
  )
  return terms
}

/** The student's features in the teacher's channels: a 1x1 convolution, which is thrown away afterwards. */
function adapted(scope: Scope, features: Value, channels: number): Value {
  const own = features.shape[1]!
  const inner = scope.child('distil').child('adapter')
  const weight = inner.weight('weight', [channels, own, 1, 1], {
    kind: 'uniform',
    amount: 1 / Math.sqrt(own),
  })
  return conv(features, weight, inner.weight('bias', [channels], { kind: 'fill', value: 0 }))
}
