// The search for what of one network should compute in eight bits: what is fastest on this machine, how ranges are best
// chosen, and which ops must stay in float so that results stay near the original's.

import { listClips } from '../clips/source.ts'
import type { Node } from '../graph/graph.ts'
import { inputInfo } from '../graph/ops/leaf.ts'
import { liveNodes } from '../graph/rewrite.ts'
import type { EightBitPlans, LoadedRun, ModelPart } from '../model/loaded-run.ts'
import { loadRun } from '../model/open-model.ts'
import { type EightBitPlan, eightBitCandidates, nodeNames, withEightBits } from '../optimise/eight-bits.ts'
import type { Weighted } from '../optimise/rewrite-with.ts'
import { macsOf } from '../profile/costs.ts'
import { type TimingOptions, timeSessions } from '../profile/time-graphs.ts'
import { hasExactEightBitSums } from '../runtime/devices.ts'
import { createSession } from '../runtime/node.ts'
import type { Session } from '../runtime/session.ts'
import { InputError } from '../util/errors.ts'
import { type CalibratedPart, openPlanned, type PlanChoice, planOf, Ranges } from './calibration.ts'
import {
  type Difference,
  differenceOf,
  Judge,
  type PartTimes,
  type Reference,
  takeFrames,
  withoutGenerator,
} from './measure.ts'
import {
  frameOptions,
  type PlanOptions,
  type RangeMethod,
  rangeMethods,
  type Settings,
  settingsOf,
} from './options.ts'

/** Kinds of ops that are tried together, each set with the kinds of the one before. */
const kindSets: readonly (readonly [name: string, kinds: readonly string[]])[] = [
  ['convolutions, ReLU and sums', ['conv', 'relu', 'add']],
  ['and resizing and joining', ['resize', 'concat']],
  ['and products', ['matmul']],
  ['and pooling', ['averagePool', 'maxPool']],
  ['and what moves numbers', ['reshape', 'transpose', 'slice', 'split']],
]

/** If nothing is timed, the last of these sets is tried: in most networks it is the fastest. A network may lack some. */
const untimedSets: ReadonlySet<string> = new Set(kindSets.slice(0, 4).map(([name]) => name))

/** What a search is told. */
export interface SearchOptions extends TimingOptions {
  readonly calibration?: RangeMethod | undefined
  readonly largestWeight: EightBitPlan['largestWeight']
  /** Whether eight bits must be faster here (default true). Otherwise all ops that compute are tried, whatever their speed. */
  readonly timed?: boolean
  /** Whether the network is within what the user allows. */
  allows(difference: Difference): boolean
  /** How far the network is from the original: what is to be small. */
  badness(difference: Difference): number
  onTried?(what: string): void
}

/** One thing that was tried. */
export interface CompressionTrial {
  /** The network. */
  readonly part: ModelPart
  /** What was tried, in words. */
  readonly what: string
  /** Times of the float network over those of this one, medians of runs in turn; null if it was not timed. */
  readonly speed: number | null
  /** How far results are from the original's; null if that was not measured. */
  readonly difference: Difference | null
}

/** How much an op alone moves results away from the original's. */
export interface Sensitivity {
  /** The network. */
  readonly part: ModelPart
  /** The layer, by the name of its first op. */
  readonly op: string
  /** How far results are from the original's with this layer alone in eight bits; the least is best. */
  readonly badness: number
}

/** What a search found. */
export interface FoundPlan {
  /** Undefined if eight bits do not pay here, or move results too far. */
  readonly plan: EightBitPlan | undefined
  /** Kinds of ops and method of the ranges that were best; undefined if eight bits are not faster at all. */
  readonly choice?: { readonly kinds: ReadonlySet<string>; readonly method: RangeMethod }
  /** How far the network is from the original by the plan, and layers that the plan leaves in float. */
  readonly difference?: Difference
  readonly floatLayers?: number
  /** Why not, in words, or what was chosen. */
  readonly verdict: string
  readonly trials: readonly CompressionTrial[]
  /** Most sensitive first; empty if it was not needed. */
  readonly sensitivities: readonly Sensitivity[]
}

/** Below this gain, float is as fast: it is within what the same network differs from itself. */
const leastGain = 1.03
/** Frames of each clip that searching looks at. */
const searchFrames = 8

/**
 * Searches for one network of a run.
 *
 * @param parts the networks of the run that are opened while it is measured. What moves from `frame` to `source` depends on
 *   both: if one of them is here, the other one must be here too.
 */
export async function searchEightBits(
  run: LoadedRun,
  calibrated: CalibratedPart,
  parts: readonly CalibratedPart[],
  reference: Reference,
  options: SearchOptions,
): Promise<FoundPlan> {
  const { part, network } = calibrated
  const { signal, largestWeight, onTried, timed = true } = options
  const ranges = new Ranges(calibrated.histograms)
  const trials: CompressionTrial[] = []
  const planFor = (choice: Omit<PlanChoice, 'largestWeight'>) =>
    planOf(calibrated, ranges, { ...choice, largestWeight })
  const measure = async (plan: EightBitPlan, most = searchFrames) => {
    signal?.throwIfAborted()
    const model = await openPlanned(run, { [part]: plan }, parts)
    try {
      const what = part === 'detector' ? 'keypoints' : 'pictures'
      return await differenceOf(model, reference, what, most, signal)
    } finally {
      await model.close()
    }
  }

  const sets = opSets(network)
  if (sets.length === 0) return none('it has no op that computes in eight bits', trials)
  const untimed = sets.findLast(({ name }) => untimedSets.has(name)) ?? sets[0]
  const speeds = timed
    ? await speedsOf(
        calibrated,
        sets.map(({ ops }) => planFor({ ops, method: options.calibration ?? 'minmax' })),
        options,
      )
    : sets.map((set) => (set === untimed ? 2 : 1))
  if (timed) {
    trials.push(...sets.map(({ name }, i) => ({ part, what: name, speed: speeds[i]!, difference: null })))
  }
  const order = sets.map((set, i) => ({ ...set, speed: speeds[i]! })).sort((a, b) => b.speed - a.speed)
  const [fastest] = order
  if (fastest === undefined || (timed && fastest.speed < leastGain)) {
    return none(`float is as fast (${(fastest?.speed ?? 1).toFixed(2)} of its speed at best)`, trials)
  }

  let best: { method: RangeMethod; difference: Difference } | undefined
  for (const method of options.calibration === undefined ? rangeMethods : [options.calibration]) {
    onTried?.(`${part}: ranges by ${method}`)
    const difference = await measure(planFor({ ops: fastest.ops, method }))
    trials.push({ part, what: `${fastest.name}, ${method}`, speed: null, difference })
    if (best === undefined || options.badness(difference) < options.badness(best.difference)) {
      best = { method, difference }
    }
  }
  const { method, difference } = best!
  const choice = { kinds: fastest.kinds, method }
  if (options.allows(difference)) {
    const plan = planFor({ ops: fastest.ops, method })
    const verdict = `${fastest.name}, ${method}`
    return { plan, choice, difference, floatLayers: 0, verdict, trials, sensitivities: [] }
  }

  // Layers go back to float until results are near enough: those first that move results most, or most for their work. Another
  // set of ops may be near enough as it is. The fastest plan is taken, for a layer in float between others costs conversions.
  const names = nodeNames(network.graph)
  const layers = layersOf(fastest.ops)
  const judged: JudgedLayer[] = []
  for (const ops of layers) {
    onTried?.(`${part}: sensitivity of ${judged.length + 1} of ${layers.length} layers`)
    const alone = await measure(planFor({ ops: new Set(ops), method }), 2)
    judged.push({ ops, name: names.get(ops[0]!)!, badness: options.badness(alone) })
  }
  const sensitivities = ranked(judged, ({ badness }) => badness).map(({ name, badness }) => ({
    ...{ part, op: name, badness },
  }))
  interface End {
    readonly plan: EightBitPlan
    readonly difference: Difference
    readonly ops: ReadonlySet<Node>
    readonly what: string
    readonly verdict: string
  }
  const ends: End[] = []
  for (const [order, rank] of floatOrders) {
    const inOrder = ranked(judged, rank)
    let [few, enough] = [0, layers.length]
    let fewest: End | undefined
    while (enough - few > 1) {
      const middle = (few + enough) >> 1
      const left = inOrder.slice(0, middle)
      const floats = new Set(left.flatMap(({ ops }) => ops))
      const ops = new Set([...fastest.ops].filter((node) => !floats.has(node)))
      const tried = planFor({ ops, method })
      onTried?.(`${part}: ${middle} layers in float`)
      const difference = await measure(tried)
      const what = `${middle} ${order} of ${layers.length} layers in float, ${method}`
      trials.push({ part, what, speed: null, difference })
      if (options.allows(difference)) {
        enough = middle
        const verdict = `${fastest.name}, ${method}, ${middle} of ${layers.length} layers in float`
        fewest = { plan: tried, difference, ops, what, verdict }
      } else few = middle
    }
    if (fewest !== undefined) ends.push(fewest)
  }
  for (const { name, ops, speed } of order) {
    if (ops === fastest.ops || (timed && speed < leastGain)) continue
    onTried?.(`${part}: ${name}`)
    const plan = planFor({ ops, method })
    const difference = await measure(plan)
    const what = `${name}, ${method}`
    trials.push({ part, what, speed: timed ? speed : null, difference })
    if (options.allows(difference)) ends.push({ plan, difference, ops, what, verdict: what })
  }
  if (ends.length === 0) {
    return { ...none('no part of it is near enough to the original', trials, sensitivities), choice }
  }
  const gains = timed
    ? await speedsOf(
        calibrated,
        ends.map((end) => end.plan),
        options,
      )
    : ends.map(({ ops }) => workOf([{ ops: [...ops] }]))
  if (timed) {
    trials.push(...ends.map(({ what }, i) => ({ part, what, speed: gains[i]!, difference: null })))
  }
  const speed = Math.max(...gains)
  if (timed && speed < leastGain) {
    return none(`near enough to the original it is not faster (${speed.toFixed(2)})`, trials, sensitivities)
  }
  const end = ends[gains.indexOf(speed)]!
  const { plan, difference: own, verdict } = end
  const floatLayers = layers.filter(([first]) => !end.ops.has(first!)).length
  return { plan, choice, difference: own, floatLayers, verdict, trials, sensitivities }
}

/** Networks that go back to float because they are as slow or slower in eight bits: none, if only the size counts. */
export const slowerParts = (
  target: Settings['target'],
  plans: EightBitPlans,
  { float, rounded }: Readonly<Record<'float' | 'rounded', PartTimes>>,
): ModelPart[] =>
  target === 'size'
    ? []
    : (Object.keys(plans) as ModelPart[]).filter((part) => !((rounded[part] ?? 0) < (float[part] ?? 0)))

/** More in eight bits, or nearer to the original. */
export function isBetter(second: FoundPlan, first: FoundPlan): boolean {
  if (second.plan === undefined || second.difference === undefined) return false
  if (first.plan === undefined || first.difference === undefined) return true
  const [more, less] = [first.floatLayers ?? 0, second.floatLayers ?? 0]
  return less < more || (less === more && second.difference.distance < first.difference.distance)
}

/** A layer, its name, and how far results are from the original's with this layer alone in eight bits. */
interface JudgedLayer {
  readonly ops: readonly Node[]
  readonly name: string
  readonly badness: number
}

/** Multiply-adds of layers. */
const workOf = (layers: readonly Pick<JudgedLayer, 'ops'>[]) =>
  layers.reduce((sum, { ops }) => sum + ops.reduce((own, node) => own + macsOf(node), 0), 0)

/** Orders in which layers go back to float, with the number that is greatest for the first. */
const floatOrders: readonly (readonly [name: string, rank: (layer: JudgedLayer) => number])[] = [
  ['most sensitive', ({ badness }) => badness],
  // Errors of layers add up as squares do.
  ['most sensitive for their work', (layer) => layer.badness ** 2 / (workOf([layer]) || 1)],
]

const ranked = (layers: readonly JudgedLayer[], rank: (layer: JudgedLayer) => number) =>
  [...layers].sort((a, b) => rank(b) - rank(a))

const none = (
  verdict: string,
  trials: readonly CompressionTrial[],
  sensitivities: readonly Sensitivity[] = [],
): FoundPlan => ({
  plan: undefined,
  verdict,
  trials,
  sensitivities,
})

/** Ops that are tried together. */
interface OpSet {
  readonly name: string
  readonly kinds: ReadonlySet<string>
  readonly ops: ReadonlySet<Node>
}

/** The sets of ops to try, without each set that adds no op to the set before it. */
function opSets({ graph }: Weighted): OpSet[] {
  const kinds = new Set<string>()
  let size = 0
  return kindSets.flatMap(([name, more]) => {
    for (const kind of more) kinds.add(kind)
    const ops = new Set(eightBitCandidates(graph, kinds))
    if (ops.size === size) return []
    size = ops.size
    return [{ name, ops, kinds: new Set(kinds) }]
  })
}

/** Ops in order, cut before each convolution and product: a layer is one of these, and what follows it. */
function layersOf(ops: ReadonlySet<Node>): Node[][] {
  const layers: Node[][] = []
  for (const node of [...ops].sort((a, b) => a.id - b.id)) {
    const begins = node.op.name === 'conv' || node.op.name === 'matmul' || layers.length === 0
    if (begins) layers.push([node])
    else layers.at(-1)!.push(node)
  }
  return layers
}

/** How many times as fast as in float the network is by each plan. */
async function speedsOf(
  { network, feeds }: CalibratedPart,
  plans: readonly EightBitPlan[],
  options: SearchOptions,
): Promise<number[]> {
  const sessions: Session[] = []
  try {
    for (const { graph, weights } of [network, ...plans.map((plan) => withEightBits(network, plan))]) {
      options.signal?.throwIfAborted()
      sessions.push(
        await createSession(graph, { device: 'cpu', weights, threads: options.threads, spin: false }),
      )
    }
    const fed = Object.fromEntries(
      liveNodes(network.graph).flatMap((node) => {
        const name = inputInfo(node)?.name
        return name === undefined ? [] : [[name, feeds[name]!] as const]
      }),
    )
    const [float, ...others] = await timeSessions(sessions, fed, options)
    return others.map(({ median }) => float!.median / median)
  } finally {
    for (const session of sessions) await session.close()
  }
}

/**
 * Chooses what of a run's detector computes in eight bits, for `exportFolder`. Ranges come from the videos. Nothing is
 * timed, for the file may be for another machine.
 *
 * @throws InputError as `compress`, or if no part of the detector stays near enough to the original
 */
export async function planDetector(
  run: string,
  videos: readonly string[],
  options: PlanOptions = {},
): Promise<EightBitPlan> {
  const { signal, onProgress } = options
  const settings = settingsOf(options)
  const found = await loadRun(run, { signal })
  // The detector alone: the generator's ranges are of no use here.
  const loaded = { ...withoutGenerator(found), eightBits: undefined }
  const sets = await takeFrames(await listClips(videos), loaded, frameOptions(settings, options))
  const judge = new Judge(sets, settings, signal)
  const parts = await judge.calibrated(loaded)
  const reference = await judge.reference(loaded)
  const { plan, verdict } = await searchEightBits(loaded, parts[0]!, parts, reference, {
    ...{ calibration: settings.calibration, threads: settings.threads, signal, timed: false },
    largestWeight: (await hasExactEightBitSums()) ? 127 : 63,
    allows: ({ distance }) => distance <= settings.maxDistance,
    badness: ({ distance }) => distance,
    ...(onProgress && { onTried: onProgress }),
  })
  if (plan !== undefined) return plan
  throw new InputError({
    what: 'the detector does not work in eight bits',
    where: run,
    got: verdict,
    remedy: 'export it in fp16, or allow more: maxDistance',
  })
}
