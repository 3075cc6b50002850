import type { Tensor } from '../graph/tensor.ts'
import { initialise } from '../motion/weights.ts'
import type { Random } from '../util/random.ts'
import { type FlatLayouts, pack, unpack } from './flat.ts'
import type { TrainingState } from './step-runner.ts'

/** The state of training as named tensors, for files, and back. */

/** Prefixes of the optimiser's tensors in a checkpoint; weights and buffers stand under their own names. */
const prefixes = { firstMoment: 'adam.first.', secondMoment: 'adam.second.' } as const

/**
 * Fresh weights, and moments of zero.
 *
 * @param given weights to begin with in place of fresh ones, of the model's names and shapes
 */
export function initialState(
  { weights, buffers }: FlatLayouts,
  random: Random,
  given: ReadonlyMap<string, Tensor> = new Map(),
): TrainingState {
  const fresh = new Map([...initialise([...weights.entries, ...buffers.entries], random), ...given])
  return {
    weights: pack(fresh, weights),
    buffers: pack(fresh, buffers),
    firstMoment: new Float32Array(weights.size),
    secondMoment: new Float32Array(weights.size),
  }
}

/** Weights and buffers under their names, as weights.safetensors holds them. */
export function namedWeights(state: TrainingState, layouts: FlatLayouts): Map<string, Tensor> {
  return new Map([...unpack(state.weights, layouts.weights), ...unpack(state.buffers, layouts.buffers)])
}

/** The whole state, as a checkpoint holds it. */
export function namedState(state: TrainingState, layouts: FlatLayouts): Map<string, Tensor> {
  const tensors = namedWeights(state, layouts)
  for (const moment of ['firstMoment', 'secondMoment'] as const) {
    for (const [name, value] of unpack(state[moment], layouts.weights))
      tensors.set(prefixes[moment] + name, value)
  }
  return tensors
}

/** The inverse of `namedState`. @throws GraphError where a tensor is missing or has another shape. */
export function stateFrom(
  tensors: ReadonlyMap<string, Tensor>,
  { weights, buffers }: FlatLayouts,
): TrainingState {
  const moment = (prefix: string) => {
    const own = new Map<string, Tensor>()
    for (const [name, value] of tensors) {
      if (name.startsWith(prefix)) own.set(name.slice(prefix.length), value)
    }
    return pack(own, weights)
  }
  return {
    weights: pack(tensors, weights),
    buffers: pack(tensors, buffers),
    firstMoment: moment(prefixes.firstMoment),
    secondMoment: moment(prefixes.secondMoment),
  }
}
