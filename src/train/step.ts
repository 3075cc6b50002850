// A training step as one graph: a loss, its gradient, running statistics and Adam; what takes such steps; and what a run tells
// while it goes on, the same events in Node, in pages and in the studio.

import type { Framing } from '../faces/framing.ts'
import type { Graph, Value } from '../graph/graph.ts'
import {
  concat,
  gradient,
  input,
  like,
  reduceSum,
  reshape,
  samplesAsRows,
  simplify,
  sqrt,
  square,
} from '../graph/ops/index.ts'
import { inputInfo } from '../graph/ops/leaf.ts'
import { liveNodes, reachable } from '../graph/rewrite.ts'
import type { Tensor } from '../graph/tensor.ts'
import type { Scope } from '../layers/scope.ts'
import type { Frame } from '../media/clip.ts'
import type { Device, Tensors } from '../runtime/session.ts'
import { type AdamOptions, adam } from './adam.ts'
import {
  copyWithFlat,
  type FlatCopy,
  type FlatLayout,
  type FlatLayouts,
  flatLayout,
  flatten,
  type StateName,
  stateOutputs,
  type TrainingState,
} from './state.ts'

/** A training step as one graph, and where each weight and buffer stands in its flat vectors. */
export interface TrainingStep {
  /**
   * The whole step, made when it is first asked for. Inputs: what one batch brings, `weights`, `buffers`, `firstMoment`,
   * `secondMoment`, and Adam's scalars. Outputs: `losses`, as `reports` lists them, and the four vectors under the names
   * of `stateOutputs`.
   */
  readonly graph: Graph
  /**
   * Makes the graph of the part of the step that each replica computes. Inputs: what one batch brings, `weights` and
   * `buffers`. Outputs: `losses`, as `reports` lists them without the last, `gradient`, as long as `weights`, and
   * `buffers.next`.
   */
  gradients(): Graph
  readonly weights: FlatLayout
  readonly buffers: FlatLayout
  /** Contents of the parameters that are not trained: those of a perceptual network. */
  readonly fixed: ReadonlyMap<string, Tensor>
  /** Names of the inputs that one batch brings. */
  readonly feeds: ReadonlySet<string>
  /** What the step reports: `loss`, its terms, and `gradientNorm`. */
  readonly reports: readonly string[]
  /** Names of weights that the step leaves as they are, if Adam's first moment of them is 0 (default: none). */
  readonly resting?: readonly string[]
}

/** What a step minimises, and further scalars that it reports. */
export type Terms = Readonly<Record<string, Value>> & { readonly loss: Value }

/** What a step is given besides its loss. */
export interface StateOptions {
  /** Contents of the graph's parameters that are not the scope's. */
  readonly fixed?: ReadonlyMap<string, Tensor>
  /** A loss of its own for the parameters whose names begin with a prefix: those of a discriminator. It is reported. */
  readonly adversary?: { readonly prefix: string; readonly name: string; readonly loss: Value }
  /** Whether a weight stays as it is (default: none does). */
  rests?(name: string): boolean
}

/**
 * Makes a training step of a loss: adds gradients, running statistics and Adam, and reads all parameters from
 * flat vectors.
 *
 * @param scope in training mode, with all parameters that the loss reads
 */
export function withState(
  scope: Scope,
  terms: Terms,
  options: AdamOptions,
  { fixed = new Map(), adversary, rests = () => false }: StateOptions = {},
): TrainingStep {
  const parameters = [...scope.parameters.values()]
  const weights = flatLayout(parameters, 'weight')
  const buffers = flatLayout(parameters, 'buffer')
  const resting = weights.entries.map(({ name }) => name).filter(rests)
  const grad = flatten(gradients(scope, weights, terms.loss, { adversary, rests }), weights)
  const nextBuffers = flatten(new Map([...scope.parameters, ...scope.updates]), buffers)

  const layouts = { weights, buffers }
  const reported = {
    ...terms,
    ...(adversary && { [adversary.name]: adversary.loss }),
    gradientNorm: sqrt(reduceSum(square(grad))),
  }
  const feeds = new Set(
    reachable([...Object.values(reported), grad, nextBuffers]).flatMap((node) => inputInfo(node)?.name ?? []),
  )
  let whole: Graph | undefined
  return {
    get graph() {
      whole ??= wholeStep({ layouts, reported: Object.values(reported), grad, nextBuffers }, options)
      return whole
    },
    gradients() {
      const { gradientNorm: _, ...others } = reported
      return gradientStep({ layouts, reported: Object.values(others), grad, nextBuffers })
    },
    ...layouts,
    ...{ fixed, feeds, reports: Object.keys(reported), resting },
  }
}

/** What a step computes, before it is copied into a graph that reads flat vectors. */
interface Computed {
  readonly layouts: FlatLayouts
  /** Scalars. */
  readonly reported: readonly Value[]
  /** As long as the weights. */
  readonly grad: Value
  readonly nextBuffers: Value
}

const joined = (scalars: readonly Value[]) =>
  concat(
    scalars.map((value) => reshape(value, [1])),
    0,
  )

function wholeStep({ layouts, reported, grad, nextBuffers }: Computed, options: AdamOptions): Graph {
  const losses = joined(reported)
  const flat = copyWithFlat([losses, grad, nextBuffers], layouts)
  const { graph } = flat
  const moment = (name: StateName) => input(graph, name, 'float32', [layouts.weights.size])
  const state = {
    weights: flat.weights,
    firstMoment: moment('firstMoment'),
    secondMoment: moment('secondMoment'),
  }
  const next = adam(state, flat.copy(grad), options)
  graph.output('losses', flat.copy(losses))
  graph.output(stateOutputs.weights, next.weights)
  graph.output(stateOutputs.buffers, flat.copy(nextBuffers))
  graph.output(stateOutputs.firstMoment, next.firstMoment)
  graph.output(stateOutputs.secondMoment, next.secondMoment)
  return lowered(flat)
}

function gradientStep({ layouts, reported, grad, nextBuffers }: Computed): Graph {
  const losses = joined(reported)
  const flat = copyWithFlat([losses, grad, nextBuffers], layouts)
  const { graph, copy } = flat
  graph.output('losses', copy(losses))
  graph.output('gradient', copy(grad))
  graph.output(stateOutputs.buffers, copy(nextBuffers))
  return lowered(flat)
}

/** The graph as sessions compute it fastest. */
function lowered({ graph, weights }: FlatCopy): Graph {
  const trained = new Set([weights.node])
  for (const node of liveNodes(graph)) {
    if (node.inputs.some((value) => trained.has(value.node))) trained.add(node)
  }
  return simplify(samplesAsRows(graph, (grid) => trained.has(grid.node)))
}

/** The gradient of each weight: of the loss, or of the adversary's; zeros for what rests. All are updated at once. */
function gradients(
  scope: Scope,
  weights: FlatLayout,
  loss: Value,
  {
    adversary,
    rests,
  }: { readonly adversary: StateOptions['adversary'] | undefined; rests(name: string): boolean },
): Map<string, Value> {
  const all = weights.entries.map(({ name }) => name)
  const names = all.filter((name) => !rests(name))
  const isAdversary = (name: string) => adversary !== undefined && name.startsWith(adversary.prefix)
  const of = (minimised: Value, wanted: readonly string[]) => {
    const grads = gradient(
      minimised,
      wanted.map((name) => scope.parameters.get(name)!),
    )
    return wanted.map((name, i) => [name, grads[i]!] as const)
  }
  const own = names.filter((name) => !isAdversary(name))
  return new Map([
    ...of(loss, own),
    ...(adversary === undefined ? [] : of(adversary.loss, names.filter(isAdversary))),
    ...all.filter(rests).map((name) => [name, like(scope.parameters.get(name)!, 0)] as const),
  ])
}

/** What a step reports, by the names of its `reports`. */
export type Report = Readonly<Record<string, number>>

/** Takes training steps, on whatever device, with the state that it works on. */
export interface StepRunner {
  /** The device that is really used. */
  readonly device: Device
  /** Batches of one step: one for each replica. */
  readonly replicas: number
  /**
   * Computes step `number` (from 1). The new state counts only if all numbers of the step are finite, so that the state
   * is good at any time.
   *
   * @param batches for each replica, the step's inputs besides state and Adam's scalars
   * @returns the losses, and whether the new state counts
   */
  run(number: number, rate: number, batches: readonly Tensors[]): Promise<{ report: Report; taken: boolean }>
  /** The state after the last good step. Later steps may overwrite it: use it before the next step, or copy it. */
  read(): Promise<TrainingState>
  close(): Promise<void>
}

/** Makes a runner of a step that begins with a state, which is the runner's to write to. */
export type OpenStep = (step: TrainingStep, adam: AdamOptions, state: TrainingState) => Promise<StepRunner>

/** Frames of the clips are decoded, and then labelled where a teacher trains. */
export interface PrepareEvent {
  /** The kind of event. */
  readonly kind: 'decode' | 'label'
  /** Frames that are done. */
  readonly done: number
  /** Frames of all clips; of labels, warped copies too. */
  readonly total: number
}

/** The square of a clip was chosen. Puppets and heads are taken as they are made, and not told. */
export interface CropEvent {
  /** The kind of event. */
  readonly kind: 'crop'
  /** Name of the clip. */
  readonly clip: string
  /** The square that is kept, and what decided it. */
  readonly framing: Framing
}

/** Nothing moves in a clip, so nothing is learned from it. */
export interface StillEvent {
  /** The kind of event. */
  readonly kind: 'still'
  /** Name of the clip. */
  readonly clip: string
}

/** One training step. */
export interface StepEvent<D extends Device = Device> {
  /** The kind of event. */
  readonly kind: 'step'
  /** Number of the step, from 1. */
  readonly step: number
  /** Steps of the whole run. Undefined if the run ends after a time. */
  readonly steps: number | undefined
  /** Part of the run that is done, 0 to 1. */
  readonly progress: number
  /** Steps per second since training was begun or resumed. */
  readonly rate: number
  /** Seconds until the end of the run. */
  readonly etaSeconds: number
  /** Seconds that all steps of the run took. */
  readonly seconds: number
  /** The weighted sum of the terms. */
  readonly loss: number
  /** The terms of the loss by name, and `gradientNorm`, the Euclidean norm of the gradient. */
  readonly terms: Readonly<Record<string, number>>
  /** The device that is really used. */
  readonly device: D
}

/** A preview was made and saved. */
export interface PreviewEvent<Picture = Frame> {
  /** The kind of event. */
  readonly kind: 'preview'
  /** Steps that are done. */
  readonly step: number
  /**
   * A row for each shown frame. Training without labels shows the source picture, the driving frame, the result, and
   * the driving frame's keypoints; distillation shows the frame, the teacher's keypoints and the student's, or of a whole
   * model the source picture, the driving frame, the teacher's result and the student's.
   */
  readonly picture: Picture
  /**
   * Training without labels: `l1`, the mean absolute difference of results and driving frames, and `still`, that of
   * source pictures and driving frames. Distillation: `distance` and `jacobian`, the mean differences to the teacher; of a
   * whole model `l1` and `still` too, and `teacher`, the `l1` of the teacher's results.
   */
  readonly measures: Readonly<Record<string, number>>
}

/** Checkpoint and weights of a step were saved. */
export interface SavedEvent {
  /** The kind of event. */
  readonly kind: 'saved'
  /** Steps that are saved. */
  readonly step: number
  /** Whether a part of the run found no room in the browser's storage and is only in the page's memory. */
  readonly inMemory: boolean
}

/** Training has ended: the run is finished, or it was stopped and can be resumed. */
export interface EndEvent {
  /** The kind of event. */
  readonly kind: 'paused' | 'finished'
  /** Steps that the run has. */
  readonly step: number
}

/**
 * What `onEvent` is told.
 *
 * @typeParam Picture a frame of pixels in Node; a PNG file in a page, which comes from a worker
 * @typeParam D the devices that there are
 */
export type TrainEvent<Picture = Frame, D extends Device = Device> =
  | PrepareEvent
  | CropEvent
  | StillEvent
  | StepEvent<D>
  | PreviewEvent<Picture>
  | SavedEvent
  | EndEvent
