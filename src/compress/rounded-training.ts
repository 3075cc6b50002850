// Training with rounding in the loop (quantisation-aware training): the detector of a run learns to find in eight bits what it
// finds in float. Scales are learned too (Esser et al. 2020, "Learned step size quantization").

import { type Graph, Graph as NewGraph, type Node, type Value } from '../graph/graph.ts'
import {
  abs,
  add,
  exp,
  fakeQuantise,
  gradient,
  input,
  mul,
  reduceMean,
  reshape,
  simplify,
  sub,
} from '../graph/ops/index.ts'
import { constant, type ParameterInfo, parameter, parameterInfo } from '../graph/ops/leaf.ts'
import { roundWeights } from '../graph/ops/quantise.ts'
import { copyInto, liveNodes } from '../graph/rewrite.ts'
import { floats, sizeOf, type Tensor, tensor } from '../graph/tensor.ts'
import type { LoadedRun } from '../model/loaded-run.ts'
import { detectorGraph } from '../motion/model.ts'
import {
  eightBitCandidates,
  eightBitValues,
  fedNodes,
  nodeNames,
  scaleOf,
  valueName,
} from '../optimise/eight-bits.ts'
import { foldNorms, joinParallelConvs } from '../optimise/fold-into-kernels.ts'
import { createSession, evaluate } from '../runtime/node.ts'
import { adamDefaults, adamInPlace, adamScalars } from '../train/adam.ts'
import { copyWithFlat, flatLayout, flatten, unpack } from '../train/state.ts'
import { TrainingError } from '../util/errors.ts'
import { Random } from '../util/random.ts'
import { observe, Ranges } from './calibration.ts'
import { batchOf, type ClipFrames } from './measure.ts'
import type { RangeMethod } from './options.ts'

/** How the detector is trained with rounding. */
export interface RoundedTraining {
  /** Steps to take. */
  readonly steps: number
  /** Kinds of ops that are rounded. */
  readonly kinds: ReadonlySet<string>
  readonly method: RangeMethod
  /** Frames of a step (default 4). */
  readonly batch?: number
  /** The largest learning rate (default 3e-5). It rises in the first tenth of the steps, and falls to a tenth by a cosine. */
  readonly rate?: number
  readonly seed?: number
  readonly signal?: AbortSignal | undefined
  onStep?(step: number, loss: number): void
}

/** Names of parameters that only this training has begin so. */
const own = 'rounded.'

/**
 * Trains the detector of a run with its values and weights rounded to eight bits, towards what it finds in float on the same
 * frames. Running statistics of norms stay as they are.
 *
 * @returns the run with other weights of the detector
 * @throws TrainingError if the loss is not finite. The signal's reason, if it is aborted.
 */
export async function trainRounded(
  run: LoadedRun,
  clips: readonly ClipFrames[],
  { steps, kinds, method, batch = 4, rate = 3e-5, seed = 0, signal, onStep }: RoundedTraining,
): Promise<LoadedRun> {
  const frames = clips.flatMap(({ source, frames: others }) => [source, ...others])
  const { size } = run.config
  const random = new Random(seed)
  const drawn = () => Array.from({ length: batch }, () => frames[random.integer(frames.length)]!)
  const float = joinedConvs(detectorGraph(run.config, { batch }))
  const network = { graph: float, weights: run.weights }
  const pictures = (of: readonly Uint8Array[]) => batchOf(of, size)
  const ranges = new Ranges(
    await observe(
      network,
      Array.from({ length: 4 }, () => ({ frame: pictures(drawn()) })),
    ),
  )
  const folded = await contentsOf(float, kernelsOf(float, kinds), run.weights)
  const step = stepOf(float, { kinds, method, ranges, folded })

  const weights = new Float32Array(step.layouts.weights.size)
  for (const { name, offset, shape, initial } of step.layouts.weights.entries) {
    weights.set(startOf(name, shape, initial, run.weights), offset)
  }
  const buffers = new Float32Array(step.layouts.buffers.size)
  for (const { name, offset } of step.layouts.buffers.entries) {
    buffers.set(run.weights.get(name)!.data as Float32Array, offset)
  }
  const [firstMoment, secondMoment] = [new Float32Array(weights.length), new Float32Array(weights.length)]
  const teacher = await createSession(float, { device: 'cpu', weights: run.weights })
  const session = await createSession(step.graph, { device: 'cpu' })
  try {
    for (let number = 1; number <= steps; number++) {
      signal?.throwIfAborted()
      const frame = pictures(drawn())
      const wanted = await teacher.run({ frame })
      const targets = Object.fromEntries(
        Object.entries(wanted).map(([name, value]) => [`target.${name}`, value]),
      )
      const found = await session.run({
        ...{ frame, ...targets },
        weights: tensor('float32', [weights.length], weights),
        ...(buffers.length > 0 && { buffers: tensor('float32', [buffers.length], buffers) }),
      })
      const loss = (found.loss!.data as Float32Array)[0]!
      const slopes = found.gradient!.data as Float32Array
      if (!Number.isFinite(loss) || !slopes.every(Number.isFinite)) throw notFinite(number)
      // Adam's first steps are as large as the rate, whatever the gradient is.
      const rise = Math.min(1, (10 * number) / steps)
      const current = rate * rise * (0.55 + 0.45 * Math.cos((Math.PI * number) / steps))
      adamInPlace(
        { weights, firstMoment, secondMoment, gradient: slopes },
        adamScalars(number, current, adamDefaults),
        adamDefaults,
      )
      onStep?.(number, loss)
    }
  } finally {
    await session.close()
    await teacher.close()
  }
  const trained = Array.from(unpack(weights, step.layouts.weights)).filter(([name]) => !name.startsWith(own))
  return { ...run, weights: new Map<string, Tensor>([...run.weights, ...trained]) }
}

/** The network as it is rounded: norms are part of kernels, which still depend on the parameters that are trained. */
const joinedConvs = (graph: Graph): Graph => foldNorms(joinParallelConvs(simplify(graph)))

/** Kernels of the convolutions that are rounded: values that depend on weights alone. */
function kernelsOf(graph: Graph, kinds: ReadonlySet<string>): Value[] {
  const convs = eightBitCandidates(graph, kinds).filter(({ op }) => op.name === 'conv')
  return [...new Set(convs.map(({ inputs }) => inputs[1]!))]
}

/** Values that depend on weights alone, computed. */
async function contentsOf(
  graph: Graph,
  values: readonly Value[],
  weights: ReadonlyMap<string, Tensor>,
): Promise<Map<Value, Tensor<'float32'>>> {
  if (values.length === 0) return new Map()
  const alone = new NewGraph()
  const copies = copyInto(alone, values)
  values.forEach((value, i) => {
    alone.output(`kernel.${i}`, copies.get(value)!)
  })
  const read = new Set(liveNodes(graph).map((node) => parameterInfo(node)?.name))
  const results = await evaluate(alone, {}, new Map(Array.from(weights).filter(([name]) => read.has(name))))
  return new Map(values.map((value, i) => [value, results[`kernel.${i}`] as Tensor<'float32'>]))
}

/** What a step rounds, and how it begins. */
interface Rounding {
  readonly kinds: ReadonlySet<string>
  readonly method: RangeMethod
  readonly ranges: Ranges
  readonly folded: ReadonlyMap<Value, Tensor<'float32'>>
}

/**
 * A step: inputs `frame`, `target.value`, `target.jacobian`, and the flat vectors `weights` and `buffers`; outputs `loss`
 * and `gradient`. Each scale is its first value times exp of a parameter, so that it stays above 0 and learns at a rate of
 * its own size.
 */
function stepOf(float: Graph, { kinds, method, ranges, folded }: Rounding) {
  const ops = new Set(eightBitCandidates(float, kinds))
  const { values, sharing } = eightBitValues(float, ops, (value) => ranges.of(value, 'minmax')[0] >= 0)
  const shared = ranges.shared(sharing, method)
  const names = nodeNames(float)
  const fed = fedNodes(float)
  const rounded = new Set(values)
  const graph = new NewGraph()
  const scales = new Map<string, Value>()
  const learned = (name: string, first: Tensor<'float32'>): Value => {
    const known = scales.get(name)
    if (known !== undefined) return known
    const change = parameter(graph, `${own}${name}`, first.shape, { kind: 'fill', value: 0 }, 'weight')
    const scale = mul(constant(graph, first), exp(change))
    scales.set(name, scale)
    return scale
  }
  const kernels = new Map<Value, Value>()
  const map = copyInto(graph, float.outputs.values(), (node: Node, inputs, target) =>
    target.within(node.scope, () => {
      const conv = node.op.name === 'conv' && ops.has(node)
      const kernel = conv ? node.inputs[1]! : undefined
      const content = kernel && folded.get(kernel)
      let read = inputs
      if (kernel !== undefined && content !== undefined) {
        const scale = learned(`weights.${names.get(node)}`, roundWeights(content, 0).scales)
        const small = kernels.get(kernel) ?? fakeQuantise(inputs[1]!, scale, { to: 'int8', axis: 0 })
        kernels.set(kernel, small)
        read = [inputs[0]!, small, ...inputs.slice(2)]
      }
      return target.apply(node.op, read, node.attrs).map((value, i) => {
        const original = node.outputs[i]!
        if (!fed.has(node) || !rounded.has(original)) return value
        const root = sharing.get(original)!
        const [first, zeroPoint] = scaleOf(...shared.get(root)!)
        return fakeQuantise(value, learned(`values.${valueName(root, names)}`, floats([first], [])), {
          zeroPoint,
        })
      })
    }),
  )
  const losses = Array.from(float.outputs, ([name, output]) => {
    const target = input(graph, `target.${name}`, 'float32', output.shape)
    // A keypoint is off by thousandths; a jacobian by hundredths.
    return mul(reduceMean(abs(sub(map.get(output)!, target))), name === 'value' ? 10 : 1)
  })
  const loss = losses.reduce((a, b) => add(a, b))
  const parameters = parametersOf(loss)
  const layouts = { weights: flatLayout(parameters, 'weight'), buffers: flatLayout(parameters, 'buffer') }
  const byName = new Map(parameters.map((value) => [parameterInfo(value.node)!.name, value]))
  const trained = layouts.weights.entries.map(({ name }) => name)
  const slopes = gradient(
    loss,
    trained.map((name) => byName.get(name)!),
  )
  const flat = flatten(new Map(trained.map((name, i) => [name, slopes[i]!])), layouts.weights)
  const copy = copyWithFlat([loss, flat], layouts)
  copy.graph.output('loss', reshape(copy.copy(loss), [1]))
  copy.graph.output('gradient', copy.copy(flat))
  return { graph: simplify(copy.graph), layouts }
}

/** One value for each parameter that a value depends on. */
function parametersOf(loss: Value): Value[] {
  const found = new Map<string, Value>()
  const graph = loss.graph as Graph
  for (const node of graph.nodes) {
    const name = parameterInfo(node)?.name
    if (name !== undefined && !found.has(name)) found.set(name, node.outputs[0]!)
  }
  return [...found.values()]
}

function startOf(
  name: string,
  shape: readonly number[],
  initial: ParameterInfo['initial'],
  weights: ReadonlyMap<string, Tensor>,
): Float32Array {
  const known = weights.get(name)
  if (known !== undefined) return known.data as Float32Array
  return new Float32Array(sizeOf(shape)).fill(initial.kind === 'fill' ? initial.value : 0)
}

function notFinite(step: number): TrainingError {
  return new TrainingError({
    what: 'training with rounding gave a number that is not finite',
    where: `step ${step}`,
    remedy: 'compress without it: leave out --rounded-steps',
  })
}
