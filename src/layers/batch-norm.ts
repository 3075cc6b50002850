import type { Value } from '../graph/graph.ts'
import { add, mul } from '../graph/ops/arithmetic.ts'
import { batchNormalise, normalise } from '../graph/ops/normalise.ts'
import { sizeOf } from '../graph/tensor.ts'
import type { Scope } from './scope.ts'

/** How much of the running statistics one batch replaces (PyTorch's default). */
const momentum = 0.1

/**
 * Batch normalisation (Ioffe and Szegedy 2015) with PyTorch's names: `weight`, `bias`, `running_mean`,
 * `running_var`. In training it uses the batch's statistics and records the running ones, whose variance is
 * the unbiased one, as in PyTorch.
 *
 * @param x [N, C, H, W]
 * @param options.gain where the scale `weight` starts
 */
export function batchNorm2d(
  scope: Scope,
  x: Value,
  { epsilon = 1e-5, gain = 1 }: { epsilon?: number; gain?: number } = {},
): Value {
  const channels = x.shape[1]!
  const gamma = scope.weight('weight', [channels], { kind: 'fill', value: gain })
  const beta = scope.weight('bias', [channels], { kind: 'fill', value: 0 })
  const mean = scope.buffer('running_mean', [channels], { kind: 'fill', value: 0 })
  const variance = scope.buffer('running_var', [channels], { kind: 'fill', value: 1 })
  if (!scope.training) return normalise(x, { gamma, beta, mean, variance }, epsilon)

  const batch = batchNormalise(x, gamma, beta, epsilon)
  const count = sizeOf(x.shape) / channels
  const unbiased = mul(batch.variance, count / Math.max(count - 1, 1))
  const follow = (name: string, running: Value, now: Value) =>
    scope.update(name, add(mul(scope.current(name, running), 1 - momentum), mul(now, momentum)))
  follow('running_mean', mean, batch.mean)
  follow('running_var', variance, unbiased)
  return batch.value
}
