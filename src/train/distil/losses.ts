// Formulas of the losses between a student's results and its teacher's: each a scalar, and 0 where the two agree.
import type { Value } from '../../graph/graph.ts'
import {
  add,
  clip,
  conv,
  div,
  log,
  mul,
  reduceMean,
  reduceSum,
  reshape,
  sqrt,
  square,
  sub,
} from '../../graph/ops/index.ts'
import type { Scope } from '../../layers/scope.ts'

/** Keeps slopes of roots and logarithms finite. */
const tiny = 1e-8

/** Mean squared difference. */
export const meanSquare = (a: Value, b: Value): Value => reduceMean(square(sub(a, b)))

/**
 * Mean Euclidean distance of keypoints: the measure of AIOZ's series (part 4), as a loss.
 *
 * @param a [N, K, 2]
 */
export function meanDistance(a: Value, b: Value): Value {
  return reduceMean(sqrt(add(reduceSum(square(sub(a, b)), [2]), tiny)))
}

/**
 * Squared difference of heatmaps, summed over a map: a mean over its cells would vanish with their number.
 *
 * @param a [N, K, h, w], each map of sum 1
 */
export function heatmapDifference(a: Value, b: Value): Value {
  return reduceMean(reduceSum(square(sub(a, b)), [2, 3]))
}

/**
 * Jensen-Shannon divergence of heatmaps in nats, 0 to log 2: what regularised heatmaps are held to in DSNT
 * (Nibali et al. 2018, section 3.3).
 *
 * @param a [N, K, h, w], each map of sum 1
 */
export function divergence(a: Value, b: Value): Value {
  const middle = log(add(mul(add(a, b), 0.5), tiny))
  const towards = (p: Value) => reduceSum(mul(p, sub(log(add(p, tiny)), middle)), [2, 3])
  return mul(reduceMean(add(towards(a), towards(b))), 0.5)
}

/**
 * Mean squared difference of attention maps, the sums of squares over channels at unit length (Zagoruyko and
 * Komodakis 2017, section 3.1).
 *
 * @param a [N, C, h, w]; channels may differ
 */
export function attentionDifference(a: Value, b: Value): Value {
  return heatmapDifference(attention(a), attention(b))
}

function attention(features: Value): Value {
  const energy = reduceSum(square(features), [1], { keep: true })
  const length = sqrt(add(reduceSum(square(energy), [2, 3], { keep: true }), tiny))
  return div(energy, length)
}

/**
 * Mean squared difference of features. The teacher's are brought to mean 0 in each channel and to deviation 1
 * in each picture first, since networks scale theirs as they like.
 *
 * @param a [N, C, h, w], of the student, already of the teacher's channels
 */
export function featureDifference(a: Value, b: Value): Value {
  const [n, c] = b.shape as [number, number]
  const flat = (x: Value) => reshape(x, [n, c, -1])
  const centred = sub(flat(b), reduceMean(flat(b), [2], { keep: true }))
  const deviation = sqrt(add(reduceMean(square(centred), [1, 2], { keep: true }), tiny))
  return meanSquare(flat(a), div(centred, deviation))
}

/**
 * Mean relative entropy of maps of probabilities in nats: cross-entropy, less the entropy of the label, which nothing
 * changes.
 *
 * @param found [N, h, w] in [0, 1]
 */
export function relativeEntropy(found: Value, label: Value): Value {
  const within = (p: Value) => clip(p, 1e-4, 1 - 1e-4)
  const [p, q] = [within(label), within(found)]
  const part = (a: Value, b: Value) => mul(a, sub(log(a), log(b)))
  return reduceMean(add(part(p, q), part(sub(1, p), sub(1, q))))
}

/** The student's features in the teacher's channels, by a 1x1 convolution. */
export function adaptedFeatures(scope: Scope, features: Value, channels: number): Value {
  const own = features.shape[1]!
  const inner = scope.child('adapter')
  const weight = inner.weight('weight', [channels, own, 1, 1], {
    kind: 'uniform',
    amount: 1 / Math.sqrt(own),
  })
  return conv(features, weight, inner.weight('bias', [channels], { kind: 'fill', value: 0 }))
}
