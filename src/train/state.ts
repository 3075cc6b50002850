// The state of training: all weights in one flat vector, buffers and Adam's moments beside it; as named tensors; and a model
// in evaluation mode that reads it.
import { type Builder, Graph, type Value } from '../graph/graph.ts'
import { cast, concat, input, mul, reshape, split, transpose } from '../graph/ops/index.ts'
import { initialise, type ParameterInfo, parameterInfo, type Role } from '../graph/ops/leaf.ts'
import { copyInto } from '../graph/rewrite.ts'
import { sizeOf, type Tensor, tensor } from '../graph/tensor.ts'
import { Scope } from '../layers/scope.ts'
import type { Keypoints } from '../model/keypoint-detector.ts'
import type { OpenSession, Session } from '../runtime/session.ts'
import { GraphError } from '../util/errors.ts'
import type { Random } from '../util/random.ts'

// Vectors make the optimiser a dozen ops instead of a dozen for each parameter, and a step takes and gives a handful of
// tensors (measured: 15 ms instead of 80 to 150 ms for Adam).

/** The vectors that a step takes as inputs and gives as outputs, by the names of the outputs. */
export const stateOutputs = {
  weights: 'weights.next',
  buffers: 'buffers.next',
  firstMoment: 'firstMoment.next',
  secondMoment: 'secondMoment.next',
} as const
export type StateName = keyof typeof stateOutputs
export const stateNames = Object.keys(stateOutputs) as StateName[]

/** The four vectors of a run in training. */
export type TrainingState = Readonly<Record<StateName, Float32Array<ArrayBuffer>>>

/** Where each parameter stands in its vector. */
export interface FlatLayout {
  readonly entries: readonly FlatEntry[]
  /** Length of the vector. */
  readonly size: number
}

export interface FlatEntry extends ParameterInfo {
  readonly offset: number
}

/** The layout of the parameters of one role, in the order given. */
export function flatLayout(parameters: Iterable<Value>, role: Role): FlatLayout {
  const entries: FlatEntry[] = []
  let offset = 0
  for (const value of parameters) {
    const info = parameterInfo(value.node)
    if (info?.role !== role) continue
    entries.push({ ...info, offset })
    offset += sizeOf(info.shape)
  }
  return { entries, size: offset }
}

/** The vector as an input of the graph, and each parameter as a view of it, by name. */
function flatInput(graph: Builder, name: string, { entries, size }: FlatLayout) {
  const vector = input(graph, name, 'float32', [size])
  const views = new Map<string, Value>()
  const pieces = split(
    vector,
    0,
    entries.map(({ shape }) => sizeOf(shape)),
  )
  entries.forEach(({ name, shape }, i) => {
    views.set(name, reshape(pieces[i]!, shape))
  })
  return { vector, views }
}

/** The two vectors of a model: weights, which are trained, and buffers, such as running statistics. */
export interface FlatLayouts {
  readonly weights: FlatLayout
  readonly buffers: FlatLayout
}

/** A copy of a graph in which the parameters of the layouts are read from two inputs, `weights` and `buffers`. */
export interface FlatCopy {
  readonly graph: Graph
  readonly weights: Value
  readonly buffers: Value
  /** The copy of one of the values that were asked for. */
  copy(value: Value): Value
}

/** Copies what `values` need into a graph of its own, with the layouts' parameters read from flat vectors. */
export function copyWithFlat(values: readonly Value[], layouts: FlatLayouts): FlatCopy {
  const graph = new Graph()
  const weights = flatInput(graph, 'weights', layouts.weights)
  const buffers = flatInput(graph, 'buffers', layouts.buffers)
  const others = new Map<string, Value>()
  const copies = copyInto(graph, values, (node, _, target) => {
    const info = parameterInfo(node)
    if (info === undefined) return undefined
    const view = (info.role === 'weight' ? weights : buffers).views.get(info.name) ?? others.get(info.name)
    if (view !== undefined) return [view]
    // A parameter that is not trained, such as one of a perceptual network, stays a parameter, once for each name.
    const made = target.apply(node.op, [], node.attrs)
    others.set(info.name, made[0]!)
    return made
  })
  return { graph, weights: weights.vector, buffers: buffers.vector, copy: (value) => copies.get(value)! }
}

/** Joins values, by name, into one vector in the layout's order. */
export function flatten(values: ReadonlyMap<string, Value>, { entries }: FlatLayout): Value {
  return concat(
    entries.map(({ name }) => {
      const value = values.get(name)
      if (value === undefined) throw new GraphError({ what: `the vector lacks ${name}` })
      return reshape(value, [-1])
    }),
    0,
  )
}

/** Cuts a vector into named tensors, which are copies. */
export function unpack(vector: Float32Array, { entries }: FlatLayout): Map<string, Tensor<'float32'>> {
  return new Map(
    entries.map(({ name, offset, shape }) => [
      name,
      tensor('float32', shape, vector.slice(offset, offset + sizeOf(shape)) as Float32Array<ArrayBuffer>),
    ]),
  )
}

/** Puts named tensors into one vector. @throws GraphError where one is missing or has another shape. */
export function pack(tensors: ReadonlyMap<string, Tensor>, { entries, size }: FlatLayout) {
  const vector = new Float32Array(size)
  for (const { name, offset, shape } of entries) {
    const found = tensors.get(name)
    if (found?.dtype !== 'float32' || found.data.length !== sizeOf(shape)) {
      throw new GraphError({
        what: `the weights of ${name} do not fit this model`,
        got: found === undefined ? 'nothing' : `${found.dtype}[${found.shape.join(', ')}]`,
        expected: `float32[${shape.join(', ')}]`,
        remedy: 'use weights that were made for this network, size and number of keypoints',
      })
    }
    vector.set(found.data, offset)
  }
  return vector
}

/** Prefixes of the optimiser's tensors in a checkpoint; weights and buffers stand under their own names. */
const prefixes = { firstMoment: 'adam.first.', secondMoment: 'adam.second.' } as const

/**
 * Fresh weights, and moments of zero.
 *
 * @param given weights to begin with instead of fresh ones, with the model's names and shapes
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

/** A state of its own with the same numbers. */
export const copyOf = ({ weights, buffers, firstMoment, secondMoment }: TrainingState): TrainingState => ({
  ...{ weights: weights.slice(), buffers: buffers.slice() },
  ...{ firstMoment: firstMoment.slice(), secondMoment: secondMoment.slice() },
})

/**
 * The state with which a step may begin that leaves weights as they are: Adam has no momentum there.
 *
 * @param resting names of these weights
 */
export function atRest(
  state: TrainingState,
  { weights, resting = [] }: Pick<FlatLayouts, 'weights'> & { readonly resting?: readonly string[] },
): TrainingState {
  if (resting.length === 0) return state
  const firstMoment = state.firstMoment.slice()
  const names = new Set(resting)
  for (const { name, offset, shape } of weights.entries) {
    if (names.has(name)) firstMoment.fill(0, offset, offset + sizeOf(shape))
  }
  return { ...state, firstMoment }
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

/** What an evaluation model computes, and from what. */
export interface EvaluationOptions {
  /** Frames that one run takes. */
  readonly frames: number
  /** Side of a frame in pixels. */
  readonly size: number
  /** Where each parameter stands in the run's vectors. */
  readonly layouts: FlatLayouts
  readonly openSession: OpenSession
  /** Builds the outputs by name. `pixels` are the frames as images [N, 3, size, size] in [0, 1]. */
  build(scope: Scope, pixels: Value): Readonly<Record<string, Value>>
}

/** A model in evaluation mode over a run's own flat vectors. */
export class EvaluationModel {
  private constructor(
    private readonly session: Session,
    private readonly shape: readonly number[],
  ) {}

  static async create(options: EvaluationOptions): Promise<EvaluationModel> {
    const shape = [options.frames, options.size, options.size, 3]
    return new EvaluationModel(await options.openSession(evaluationGraph(options, shape)), shape)
  }

  /**
   * @param frames RGB [N, size, size, 3]
   * @returns the outputs by name
   */
  run({ weights, buffers }: TrainingState, frames: Uint8Array<ArrayBuffer>): Promise<Record<string, Tensor>> {
    return this.session.run({
      weights: tensor('float32', [weights.length], weights),
      ...(buffers.length > 0 && { buffers: tensor('float32', [buffers.length], buffers) }),
      frames: tensor('uint8', this.shape, frames),
    })
  }

  close(): Promise<void> {
    return this.session.close()
  }
}

function evaluationGraph({ layouts, build }: EvaluationOptions, shape: readonly number[]): Graph {
  const built = new Graph()
  const frames = input(built, 'frames', 'uint8', shape)
  const pixels = mul(transpose(cast(frames, 'float32'), [0, 3, 1, 2]), 1 / 255)
  const wanted = build(Scope.root(built, { training: false }), pixels)
  const flat = copyWithFlat(Object.values(wanted), layouts)
  for (const [name, result] of Object.entries(wanted)) flat.graph.output(name, flat.copy(result))
  return flat.graph
}

/** The keypoints of one frame among the outputs `value` [N, K, 2] and, if there is one, `jacobian` [N, K, 2, 2]. */
export function keypointsOfFrame(outputs: Readonly<Record<string, Tensor>>, frame: number): Keypoints {
  const row = ({ data, shape }: Tensor) => {
    const length = data.length / shape[0]!
    return (data as Float32Array).slice(frame * length, (frame + 1) * length)
  }
  return { value: row(outputs.value!), jacobian: outputs.jacobian && row(outputs.jacobian) }
}
