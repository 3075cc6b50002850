// The search for what of one network should compute in eight bits: what is fastest on this machine, how ranges are best
// chosen, and which ops must stay in float so that results stay near the original's.

import { listClips } from '../clips/source.ts'
import type { Node } from '../graph/graph.ts'
import { inputInfo } from '../graph/ops/leaf.ts'
import { liveNodes } from '../graph/rewrite.ts'
import type { EightBitPlans, LoadedRun, ModelPart } from '../model/loaded-run.ts'
import { type MotionModel, openSessionModel } from '../model/motion-model.ts'
import { loadRun, rewriteExactly } from '../model/open-model.ts'
import { type EightBitPlan, eightBitCandidates, nodeNames, withEightBits } from '../optimise/eight-bits.ts'
import type { Weighted } from '../optimise/rewrite-with.ts'
import { type Clock, type Latency, type LatencyOptions, realClock, timeInTurn } from '../profile/latency.ts'
import { hasExactEightBitSums } from '../runtime/devices.ts'
import { createSession, sessionsOn } from '../runtime/node.ts'
import type { Session } from '../runtime/session.ts'
import { InputError } from '../util/errors.ts'
import { type CalibratedPart, calibrate, type PlanChoice, partOf, planOf, Ranges } from './calibration.ts'
import {
  type Difference,
  differenceOf,
  type Reference,
  referenceOf,
  seeAll,
  takeFrames,
  withoutGenerator,
} from './measure.ts'
import { frameOptions, type PlanOptions, type RangeMethod, rangeMethods, settingsOf } from './options.ts'

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
export interface SearchOptions {
  readonly calibration?: RangeMethod | undefined
  readonly largestWeight: EightBitPlan['largestWeight']
  readonly threads: number
  readonly signal?: AbortSignal | undefined
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

/** Searches for one network of a run. */
export async function searchEightBits(
  run: LoadedRun,
  calibrated: CalibratedPart,
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
    const model = await openPlanned(run, { [part]: plan }, [calibrated])
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
  let plan = planFor({ ops: fastest.ops, method })
  if (options.allows(difference)) {
    const verdict = `${fastest.name}, ${method}`
    return { plan, choice, difference, floatLayers: 0, verdict, trials, sensitivities: [] }
  }

  // What moves results most goes back to float, until they are near enough.
  const names = nodeNames(network.graph)
  const layers = layersOf(fastest.ops)
  const ranked: { readonly layer: readonly Node[]; readonly sensitivity: Sensitivity }[] = []
  for (const layer of layers) {
    onTried?.(`${part}: sensitivity of ${ranked.length + 1} of ${layers.length} layers`)
    const alone = await measure(planFor({ ops: new Set(layer), method }), 2)
    const sensitivity = { part, op: names.get(layer[0]!)!, badness: options.badness(alone) }
    ranked.push({ layer, sensitivity })
  }
  ranked.sort((a, b) => b.sensitivity.badness - a.sensitivity.badness)
  const listed = ranked.map(({ sensitivity }) => sensitivity)
  const without = (count: number) => {
    const left = new Set(ranked.slice(0, count).flatMap(({ layer }) => layer))
    return new Set([...fastest.ops].filter((node) => !left.has(node)))
  }
  let [few, enough] = [0, layers.length]
  let kept: { readonly plan: EightBitPlan; readonly difference: Difference } | undefined
  while (enough - few > 1) {
    const middle = (few + enough) >> 1
    const tried = planFor({ ops: without(middle), method })
    onTried?.(`${part}: ${middle} layers in float`)
    const found = await measure(tried)
    const what = `${middle} most sensitive of ${layers.length} layers in float, ${method}`
    trials.push({ part, what, speed: null, difference: found })
    if (options.allows(found)) [enough, kept] = [middle, { plan: tried, difference: found }]
    else few = middle
  }
  if (kept === undefined) {
    return { ...none('no part of it is near enough to the original', trials, listed), choice }
  }
  plan = kept.plan
  const after = { choice, difference: kept.difference, floatLayers: enough }
  const verdict = `${fastest.name}, ${method}, ${enough} of ${layers.length} layers in float`
  if (!timed) return { plan, ...after, verdict, trials, sensitivities: listed }
  const [speed] = await speedsOf(calibrated, [plan], options)
  trials.push({
    part,
    what: `${enough} most sensitive of ${layers.length} layers in float, ${method}`,
    speed: speed!,
    difference: null,
  })
  if (speed! < leastGain) {
    return none(`near enough to the original it is not faster (${speed!.toFixed(2)})`, trials, listed)
  }
  return { plan, ...after, verdict, trials, sensitivities: listed }
}

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

/**
 * Opens a run with plans for its networks.
 *
 * @param known networks that were rewritten already
 */
export async function openPlanned(
  run: LoadedRun,
  eightBits: EightBitPlans,
  known: readonly Pick<CalibratedPart, 'part' | 'network'>[] = [],
): Promise<MotionModel> {
  return openSessionModel(run, {
    openSession: sessionsOn('cpu'),
    where: run.path,
    rewrite: async (network) =>
      known.find(({ part }) => part === partOf(network.graph))?.network ?? rewriteExactly(network),
    eightBits,
  })
}

/** Processor time of this process: with one thread, it does not count what other programs do meanwhile. */
const cpuClock: Clock = {
  now: () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1000
  },
  rest: realClock.rest,
}

/** Times of sessions in turn. With one thread, processor time is measured. */
export async function timeSessions(
  sessions: readonly Session[],
  feeds: CalibratedPart['feeds'],
  { threads, rounds, signal }: Pick<SearchOptions, 'threads' | 'signal'> & Pick<LatencyOptions, 'rounds'>,
): Promise<readonly Latency[]> {
  const { latencies } = await timeInTurn(
    sessions.map((session) => ({ run: () => session.run(feeds) })),
    {
      clock: threads === 1 ? cpuClock : realClock,
      restMs: 2,
      budgetSeconds: 4 * sessions.length,
      ...(rounds !== undefined && { rounds }),
      ...(signal && { signal }),
    },
  )
  return latencies
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

/** Times of the networks of a run, in milliseconds, medians of runs in turn. */
export type PartTimes = { readonly [Part in ModelPart]?: number }

/** Times of all networks as they were, in float and, where there is a plan, in eight bits, each set in turn. */
export async function timesOf(
  parts: readonly CalibratedPart[],
  plans: EightBitPlans,
  originals: readonly CalibratedPart[],
  { threads, signal }: Pick<SearchOptions, 'threads' | 'signal'>,
): Promise<Record<'original' | 'float' | 'rounded', PartTimes>> {
  type Times = Partial<Record<ModelPart, number>>
  const [original, float, rounded]: [Times, Times, Times] = [{}, {}, {}]
  for (const { part, network, feeds } of parts) {
    const plan = plans[part]
    const first = originals.find((one) => one.part === part)!.network
    const networks = [first, network, plan === undefined ? network : withEightBits(network, plan)]
    const sessions = new Map<Weighted, Session>()
    try {
      for (const one of new Set(networks)) {
        const { graph, weights } = one
        sessions.set(one, await createSession(graph, { device: 'cpu', weights, threads, spin: false }))
      }
      const timed = [...sessions.values()]
      const own = Object.fromEntries(Array.from(timed[0]!.inputs.keys(), (name) => [name, feeds[name]!]))
      const found = await timeSessions(timed, own, { threads, signal })
      const median = (one: Weighted) => found[[...sessions.keys()].indexOf(one)]!.median
      original[part] = median(networks[0]!)
      float[part] = median(networks[1]!)
      rounded[part] = median(networks[2]!)
    } finally {
      for (const session of sessions.values()) await session.close()
    }
  }
  return { original, float, rounded }
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
  await using model = await openPlanned(loaded, {})
  const reference = await referenceOf(model, sets.measured, signal)
  const parts = await calibrate(loaded, (model) => seeAll(model, sets.calibration, signal))
  const { plan, verdict } = await searchEightBits(loaded, parts[0]!, reference, {
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
