// Calibration: a run works on frames of the user's own clips while histograms count the numbers that each value of its
// networks has. Ranges for eight bits come from these: the least and greatest number, or narrower ranges that clip a few
// numbers and round the others more finely. Migacz 2017 ("8-bit inference with TensorRT") chooses by entropy.

import type { Graph, Node, Value } from '../graph/graph.ts'
import { inputInfo } from '../graph/ops/leaf.ts'
import { liveNodes, rewrite } from '../graph/rewrite.ts'
import type { EightBitPlans, LoadedRun, ModelPart } from '../model/loaded-run.ts'
import { type MotionModel, openSessionModel } from '../model/motion-model.ts'
import { rewriteExactly } from '../model/open-model.ts'
import {
  type EightBitPlan,
  type EightBitScale,
  eightBitValues,
  graphKey,
  nodeNames,
  scaleOf,
  valueName,
} from '../optimise/eight-bits.ts'
import type { Weighted } from '../optimise/rewrite-with.ts'
import { createSession, sessionsOn } from '../runtime/node.ts'
import type { OpenSession, Session } from '../runtime/session.ts'
import type { RangeMethod } from './options.ts'

/** One network of a run: rewritten, with the numbers that its values had. */
export interface CalibratedPart {
  readonly part: ModelPart
  readonly network: Weighted
  /** Values that may be rounded: every float32 value that is no weight. */
  readonly histograms: ReadonlyMap<Value, Histogram>
  /** Some of its inputs, for timing. */
  readonly feeds: Parameters<Session['run']>[0]
}

/** Which network a graph is, by what it is fed with. */
export function partOf(graph: Graph): ModelPart {
  const fed = new Set(liveNodes(graph).map((node) => inputInfo(node)?.name))
  return fed.has('frame') ? 'detector' : fed.has('valueDriving') ? 'frame' : 'source'
}

/**
 * Opens a run, lets it work, and gives the numbers that it computed with.
 *
 * @param work sees all frames to calibrate on: `detect`, `encode` and `generate` of the model count
 * @returns the networks that were used
 */
export async function calibrate(
  run: LoadedRun,
  work: (model: MotionModel) => Promise<void>,
): Promise<CalibratedPart[]> {
  const parts: { part: ModelPart; network: Weighted; observed: Observed }[] = []
  const networks = new Map<Graph, Weighted>()
  const openSession: OpenSession = async (model, options) => {
    if (model instanceof Uint8Array) return createSession(model, { ...options, device: 'cpu' })
    const network = networks.get(model) ?? { graph: model, weights: options?.weights ?? new Map() }
    const observed = await Observed.open(network)
    parts.push({ part: partOf(model), network, observed })
    return observed
  }
  const model = await openSessionModel(run, { openSession, where: run.path, rewrite: rewriteExactly })
  try {
    await work(model)
  } finally {
    await model.close()
  }
  return parts.flatMap(({ part, network, observed: { histograms, feeds } }) =>
    feeds === undefined ? [] : [{ part, network, histograms, feeds }],
  )
}

/**
 * Opens a run with plans for its networks.
 *
 * @param known networks that were rewritten already. `source` and `frame` are here together or not at all, since one gets
 *   what the other one gives away.
 * @param halves whether the networks compute in half precision
 */
export async function openPlanned(
  run: LoadedRun,
  eightBits: EightBitPlans,
  known: readonly Pick<CalibratedPart, 'part' | 'network'>[] = [],
  halves = false,
): Promise<MotionModel> {
  return openSessionModel(run, {
    openSession: sessionsOn('cpu'),
    where: run.path,
    // Half precision is for GPUs.
    rewrite: async (network) =>
      halves
        ? rewriteExactly(network, { target: 'gpu' })
        : (known.find(({ part }) => part === partOf(network.graph))?.network ?? rewriteExactly(network)),
    ...{ eightBits, halves },
  })
}

/** The numbers of all values of a network that is fed so. */
export async function observe(
  network: Weighted,
  feeds: readonly Parameters<Session['run']>[0][],
): Promise<ReadonlyMap<Value, Histogram>> {
  const observed = await Observed.open(network)
  try {
    for (const fed of feeds) await observed.run(fed)
    return observed.histograms
  } finally {
    await observed.close()
  }
}

/** A session that counts the numbers of all values on the way. */
class Observed implements Session {
  readonly histograms = new Map<Value, Histogram>()
  feeds: Parameters<Session['run']>[0] | undefined

  private constructor(
    private readonly session: Session,
    private readonly named: ReadonlyMap<string, Value>,
    private readonly fed: ReadonlyMap<string, Value>,
  ) {
    for (const value of [...named.values(), ...fed.values()]) this.histograms.set(value, new Histogram())
  }

  static async open({ graph, weights }: Weighted): Promise<Observed> {
    const copy = rewrite(graph, () => undefined)
    const named = new Map<string, Value>()
    const fed = new Map<string, Value>()
    const copies = copiesOf(graph, copy)
    for (const [node, copied] of copies) {
      if (node.inputs.length === 0) {
        const info = inputInfo(node)
        if (info?.dtype === 'float32') fed.set(info.name, node.outputs[0]!)
        continue
      }
      node.outputs.forEach((value, i) => {
        if (value.dtype !== 'float32') return
        const name = `observed.${node.id}.${i}`
        named.set(name, value)
        copy.output(name, copied.outputs[i]!)
      })
    }
    const session = await createSession(copy, { device: 'cpu', weights, spin: false })
    return new Observed(session, named, fed)
  }

  get inputs() {
    return this.session.inputs
  }

  get outputs() {
    return this.session.outputs
  }

  get device() {
    return this.session.device
  }

  async run(feeds: Parameters<Session['run']>[0]) {
    const results = await this.session.run(feeds)
    this.feeds ??= Object.fromEntries(Object.entries(feeds))
    for (const [name, value] of this.named)
      this.histograms.get(value)!.add(results[name]!.data as Float32Array)
    for (const [name, value] of this.fed) this.histograms.get(value)!.add(feeds[name]!.data as Float32Array)
    return Object.fromEntries(Object.entries(results).filter(([name]) => !this.named.has(name)))
  }

  close(): Promise<void> {
    return this.session.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** Live nodes of a graph and of its copy, which has them in the same order. */
function copiesOf(graph: Graph, copy: Graph): (readonly [Node, Node])[] {
  return liveNodes(graph).map((node, i) => [node, copy.nodes[i]!] as const)
}

/** Which ops compute in eight bits, and how ranges are chosen. */
export interface PlanChoice {
  readonly ops: ReadonlySet<Node>
  readonly method: RangeMethod
  readonly largestWeight: EightBitPlan['largestWeight']
}

/** Ranges by value and method. They are chosen once, for many plans are tried. */
export class Ranges {
  private readonly known = new Map<Value, Map<RangeMethod, Range>>()

  constructor(private readonly histograms: ReadonlyMap<Value, Histogram>) {}

  of(value: Value, method: RangeMethod): Range {
    const own = this.known.get(value) ?? new Map<RangeMethod, Range>()
    this.known.set(value, own)
    const found = own.get(method) ?? chooseRange(method, this.histograms.get(value)!)
    own.set(method, found)
    return found
  }

  /** The range of each set of values that share a scale, by the first of them. */
  shared(sharing: ReadonlyMap<Value, Value>, method: RangeMethod): Map<Value, Range> {
    const found = new Map<Value, Range>()
    for (const [value, root] of sharing) {
      const [low, high] = this.of(value, method)
      const known = found.get(root)
      found.set(root, known === undefined ? [low, high] : [Math.min(low, known[0]), Math.max(high, known[1])])
    }
    return found
  }
}

/** The plan of a network: the scales of all values that its ops in eight bits read. */
export function planOf(
  { network: { graph } }: Pick<CalibratedPart, 'network'>,
  ranges: Ranges,
  { ops, method, largestWeight }: PlanChoice,
): EightBitPlan {
  const names = nodeNames(graph)
  const { values, sharing } = eightBitValues(graph, ops, (value) => ranges.of(value, 'minmax')[0] >= 0)
  const shared = ranges.shared(sharing, method)
  const scales = values.map((value): [string, EightBitScale] => [
    valueName(value, names),
    scaleOf(...shared.get(sharing.get(value)!)!),
  ])
  return {
    graph: graphKey(graph),
    ops: Array.from(ops, (node) => names.get(node)!),
    scales: Object.fromEntries(scales),
    largestWeight,
  }
}

/** From the least to the greatest number that counts. */
export type Range = readonly [low: number, high: number]

/** Bins of a histogram: 8 for each of the 256 numbers of eight bits, on each side of 0. */
const binCount = 4096

/**
 * Counts numbers in bins of equal width around 0. The numbers come in one pass: if one is beyond the last bin, the bins
 * become twice as wide.
 */
export class Histogram {
  /** The first bin begins at -limit, the last one ends at limit. */
  private limit = 0
  private counts = new Float64Array(binCount)
  private least = Number.POSITIVE_INFINITY
  private most = Number.NEGATIVE_INFINITY

  /** Adds numbers. Numbers that are not finite are left out. */
  add(numbers: Float32Array): void {
    let [least, most] = [this.least, this.most]
    for (let i = 0; i < numbers.length; i++) {
      const x = numbers[i]!
      if (x < least && x > -3.4e38) least = x
      if (x > most && x < 3.4e38) most = x
    }
    ;[this.least, this.most] = [least, most]
    const needed = Math.max(-least, most)
    if (!(needed > 0) || needed === Number.POSITIVE_INFINITY) {
      if (least <= most) this.counts[binCount / 2]! += numbers.length
      return
    }
    if (this.limit === 0) this.limit = needed * 1.001
    while (needed >= this.limit) this.widen()
    const [{ counts, limit }, toBin] = [this, binCount / 2 / this.limit]
    for (let i = 0; i < numbers.length; i++) {
      const bin = Math.floor((numbers[i]! + limit) * toBin)
      if (bin >= 0 && bin < binCount) counts[bin]! += 1
    }
  }

  private widen(): void {
    const wider = new Float64Array(binCount)
    for (let i = 0; i < binCount; i++) wider[binCount / 4 + (i >> 1)]! += this.counts[i]!
    this.counts = wider
    this.limit *= 2
  }

  /** From the least to the greatest number; 0 to 0 before the first. */
  get range(): Range {
    return this.least <= this.most ? [this.least, this.most] : [0, 0]
  }

  /** Bins that hold something: middle of the bin, and count. */
  *bins(): Generator<readonly [middle: number, count: number], void, undefined> {
    const width = (2 * this.limit) / binCount
    const [least, most] = this.range
    for (let i = 0; i < binCount; i++) {
      const count = this.counts[i]!
      if (count > 0) yield [Math.min(most, Math.max(least, -this.limit + (i + 0.5) * width)), count]
    }
  }
}

/**
 * The range that a value is held to.
 *
 * @param part for `percentile`: the part of the numbers that must be within the range
 */
export function chooseRange(method: RangeMethod, histogram: Histogram, part = 0.9999): Range {
  const { range } = histogram
  if (method === 'minmax' || range[0] === range[1]) return range
  const bins = [...histogram.bins()]
  if (method === 'percentile') return percentile(bins, range, part)
  return narrowest(range, method === 'mse' ? (held) => squaredError(bins, held) : divergenceOf(bins))
}

type Bins = readonly (readonly [middle: number, count: number])[]

/** Leaves out as many numbers at the two ends as the part allows, from the end whose numbers are farther out. */
function percentile(bins: Bins, [least, most]: Range, part: number): Range {
  let spare = (1 - part) * bins.reduce((sum, [, count]) => sum + count, 0)
  let [low, high] = [0, bins.length - 1]
  while (low < high) {
    const atLow = Math.abs(bins[low]![0]) >= Math.abs(bins[high]![0])
    const count = bins[atLow ? low : high]![1]
    if (count > spare) break
    spare -= count
    if (atLow) low++
    else high--
  }
  return [Math.max(least, bins[low]![0]), Math.min(most, bins[high]![0])]
}

/** Parts of an end that are tried. */
const parts = Array.from({ length: 29 }, (_, i) => 1 - i / 40)

/** The range of least loss: first the upper end is moved, then the lower one. */
function narrowest([least, most]: Range, loss: (range: Range) => number): Range {
  let best: Range = [least, most]
  let lowest = loss(best)
  const attempt = (range: Range) => {
    const found = loss(range)
    if (found < lowest) [best, lowest] = [range, found]
  }
  for (const part of parts) attempt([best[0], most * part])
  if (least < 0) for (const part of parts) attempt([least * part, best[1]])
  return best
}

/** Sum of the squared differences between numbers and what eight bits make of them. */
function squaredError(bins: Bins, [low, high]: Range): number {
  const [scale, zero] = scaleOf(low, high)
  let sum = 0
  for (const [x, count] of bins) {
    const step = Math.min(255, Math.max(0, Math.round(x / scale) + zero))
    // Within a bin, numbers lie anywhere on the way to the next step.
    const error = (step - zero) * scale - x
    sum += count * error * error
  }
  return sum
}

/**
 * Kullback-Leibler divergence between the numbers held to a range, and the same in 256 steps. Numbers beyond the range
 * count at its ends.
 */
const divergenceOf =
  (bins: Bins) =>
  ([low, high]: Range): number => {
    const [scale, zero] = scaleOf(low, high)
    const [inside, clipped] = [new Float64Array(256), [0, 0] as [number, number]]
    const filled = new Float64Array(256)
    const stepOf = (x: number) => Math.round(x / scale) + zero
    let total = 0
    for (const [x, count] of bins) {
      total += count
      const step = stepOf(x)
      if (step < 0) clipped[0] += count
      else if (step > 255) clipped[1] += count
      else {
        inside[step]! += count
        filled[step]! += 1
      }
    }
    const within = total - clipped[0] - clipped[1]
    if (within <= 0) return Number.POSITIVE_INFINITY
    let sum = 0
    const ends = [stepOf(Math.max(low, bins[0]![0])), stepOf(Math.min(high, bins.at(-1)![0]))]
    const outside = new Map([
      [Math.min(255, Math.max(0, ends[0]!)), clipped[0]],
      [Math.min(255, Math.max(0, ends[1]!)), clipped[1]],
    ])
    let last = -1
    for (const [x, count] of bins) {
      const step = stepOf(x)
      if (step < 0 || step > 255) continue
      const extra = step !== last ? (outside.get(step) ?? 0) : 0
      last = step
      const p = (count + extra) / total
      const q = inside[step]! / filled[step]! / within
      sum += p * Math.log(p / q)
    }
    return sum
  }
