// Pruning by structure: whole channels of a detector go, and what is left is a smaller detector of the same kind.
//
// What a channel matters is how far results would move without it, to first order (Molchanov et al. 2019, "Importance
// estimation for neural network pruning"). A detector that is compared with itself has no loss. So the gradient is that of
// its results in random directions; its square is Fisher's information (Theis et al. 2018, "Faster gaze prediction with
// dense networks and Fisher pruning"). Norms' scales (Liu et al. 2017, "Network slimming") are the alternative.

import type { Graph } from '../graph/graph.ts'
import { addAll, gradient, input, mul, reduceSum, simplify } from '../graph/ops/index.ts'
import { parameterInfo, parametersOf } from '../graph/ops/leaf.ts'
import { liveNodes } from '../graph/rewrite.ts'
import { floats, type Shape, sameShape, sizeOf, type Tensor } from '../graph/tensor.ts'
import type { MotionConfig } from '../motion/config.ts'
import { detectorGraph } from '../motion/model.ts'
import { macsOf } from '../profile/costs.ts'
import { createSession } from '../runtime/node.ts'
import { GraphError, InputError } from '../util/errors.ts'
import { Random } from '../util/random.ts'
import { type ChannelGroup, type Channels, channelGroups, movingOps } from './channel-groups.ts'
import { batchOf, type ClipFrames } from './measure.ts'

const axisKey = (name: string, axis: number) => `${name} ${axis}`
/** Places that go with a group, by `axisKey`. */
function countsOf({ slices }: ChannelGroup): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { name, axis } of slices) addTo(counts, axisKey(name, axis), 1)
  return counts
}

const addTo = (counts: Map<string, number>, key: string, count: number) =>
  counts.set(key, (counts.get(key) ?? 0) + count)

/** Of each axis, at least this part is left. */
const leastLeft = 1 / 8

type Weights = ReadonlyMap<string, Tensor>
/** How much each group matters. */
export type Importance = ReadonlyMap<ChannelGroup, number>

/** A detector of which channels can be removed. */
export class Prunable {
  /** Multiply-adds for one frame. */
  readonly macs: number
  private readonly shapes: ReadonlyMap<string, Shape>
  private readonly ops: string

  private constructor(
    readonly config: MotionConfig,
    readonly channels: Channels,
    graph: Graph,
  ) {
    this.macs = liveNodes(graph).reduce((sum, node) => sum + macsOf(node), 0)
    this.shapes = shapesOf(graph)
    this.ops = opsOf(graph)
  }

  /** Finds what can be removed. Groups that the detector's layers cannot be built without are left out. */
  static of(config: MotionConfig): Prunable {
    const graph = detectorGraph(config)
    const found = channelGroups(graph)
    const all = new Prunable(config, found, graph)
    const built = new Map<number, boolean>()
    for (const group of found.groups) {
      if (!built.has(group.family)) built.set(group.family, all.configWithout([group]) !== undefined)
    }
    const groups = found.groups.filter(({ family }) => built.get(family))
    return new Prunable(config, { ...found, groups }, graph)
  }

  /**
   * The groups that matter least for what they cost, until few enough multiply-adds are left. If layers are another network
   * by chance with the widths that are left, one more group goes.
   *
   * @param target multiply-adds that may be left
   * @throws InputError if this part cannot be removed
   */
  choose(importance: Importance, target: number): { groups: ChannelGroup[]; config: MotionConfig } {
    const byFamily = new Map<number, ChannelGroup[]>()
    for (const group of this.channels.groups) {
      const known = byFamily.get(group.family)
      if (known === undefined) byFamily.set(group.family, [group])
      else known.push(group)
    }
    const families = Array.from(byFamily.values(), (waiting) => {
      waiting.sort((a, b) => importance.get(b)! - importance.get(a)!)
      const counts = countsOf(waiting[0]!)
      const convs = this.channels.convs.filter(({ kernel }) =>
        [0, 1].some((axis) => counts.has(axisKey(kernel, axis))),
      )
      return { waiting, counts, convs }
    })
    const gone = new Map<string, number>()
    const chosen: ChannelGroup[] = []
    let macs = this.macs
    for (;;) {
      const config = macs <= target ? this.configWithout(chosen) : undefined
      if (config !== undefined) return { groups: chosen, config }
      let best: { readonly family: (typeof families)[number]; readonly saved: number } | undefined
      let least = Number.POSITIVE_INFINITY
      for (const family of families) {
        const { waiting, counts, convs } = family
        if (waiting.length === 0 || !this.mayGo(counts, gone)) continue
        const saved = convs.reduce(
          (sum, { kernel, macs }) => sum + macs * (this.part(kernel, gone) - this.part(kernel, gone, counts)),
          0,
        )
        const price = importance.get(waiting.at(-1)!)! / saved
        if (price < least) [best, least] = [{ family, saved }, price]
      }
      if (best === undefined) throw tooMuch(this.macs, macs, target)
      for (const [key, count] of best.family.counts) addTo(gone, key, count)
      chosen.push(best.family.waiting.pop()!)
      macs -= best.saved
    }
  }

  private mayGo(counts: ReadonlyMap<string, number>, gone: ReadonlyMap<string, number>): boolean {
    return Array.from(counts).every(([key, count]) => {
      const [name, axis] = key.split(' ') as [string, string]
      const size = this.shapes.get(name)![Number(axis)]!
      return size - (gone.get(key) ?? 0) - count >= Math.max(1, Math.ceil(size * leastLeft))
    })
  }

  /** Part of a kernel that is left. */
  private part(kernel: string, ...gone: readonly ReadonlyMap<string, number>[]): number {
    const shape = this.shapes.get(kernel)!
    const left = (axis: 0 | 1) =>
      1 - gone.reduce((sum, counts) => sum + (counts.get(axisKey(kernel, axis)) ?? 0), 0) / shape[axis]!
    return left(0) * left(1)
  }

  /** The configuration of the detector without groups; undefined if its layers make another network of that. */
  configWithout(groups: Iterable<ChannelGroup>): MotionConfig | undefined {
    const left = this.leftOf(groups)
    const sizeAt = (name: string, axis: number) =>
      left.get(axisKey(name, axis))?.length ?? this.shapes.get(name)![axis]!
    const widths = Object.fromEntries(
      Array.from(this.channels.widths, ([kernel, axis]) => [layerOf(kernel), sizeAt(kernel, axis)]),
    )
    const config = { ...this.config, detector: { ...this.config.detector, widths } }
    try {
      const graph = detectorGraph(config)
      const shapes = shapesOf(graph)
      const fits = Array.from(this.shapes).every(([name, shape]) => {
        const own = shapes.get(name)
        return (
          own !== undefined &&
          sameShape(
            own,
            shape.map((size, axis) => (axis > 1 ? size : sizeAt(name, axis))),
          )
        )
      })
      return fits && shapes.size === this.shapes.size && opsOf(graph) === this.ops ? config : undefined
    } catch (error) {
      if (error instanceof GraphError || error instanceof InputError) return undefined
      throw error
    }
  }

  /** Places along axes that are left, by `axisKey`. An axis that is not there is whole. */
  private leftOf(groups: Iterable<ChannelGroup>): Map<string, readonly number[]> {
    const gone = new Map<string, Set<number>>()
    for (const { slices } of groups) {
      for (const { name, axis, index } of slices) {
        const key = axisKey(name, axis)
        gone.set(key, (gone.get(key) ?? new Set()).add(index))
      }
    }
    return new Map(
      Array.from(gone, ([key, places]) => {
        const [name, axis] = key.split(' ') as [string, string]
        const all = Array.from({ length: this.shapes.get(name)![Number(axis)]! }, (_, i) => i)
        return [key, all.filter((i) => !places.has(i))] as const
      }),
    )
  }

  /** The weights of a run without groups. */
  weightsWithout(weights: Weights, groups: Iterable<ChannelGroup>): Map<string, Tensor> {
    const left = this.leftOf(groups)
    return new Map(
      Array.from(weights, ([name, value]) => {
        const axes = [0, 1].map((axis) => left.get(axisKey(name, axis)))
        return [name, axes.some(Boolean) ? taken(value as Tensor<'float32'>, axes) : value]
      }),
    )
  }
}

/** Frames of a batch, and batches, by which channels are ranked. */
const [rankedBatch, rankedBatches] = [4, 24]

/**
 * How much groups matter: how far results move on frames without each of them, to first order, squared. That is what the
 * gradient says of zeros where the network reads the group.
 */
export async function importanceOf(
  { config, channels: { groups } }: Prunable,
  weights: Weights,
  clips: readonly ClipFrames[],
  { seed = 0, signal }: { readonly seed?: number; readonly signal?: AbortSignal | undefined } = {},
): Promise<Importance> {
  const frames = clips.flatMap(({ source, frames: others }) => [source, ...others])
  const { graph, directions } = rankingGraph(config, groups)
  const random = new Random(seed)
  const found = new Map(groups.map((group) => [group, 0]))
  const session = await createSession(graph, { device: 'cpu', weights })
  try {
    for (let i = 0; i < rankedBatches; i++) {
      signal?.throwIfAborted()
      const drawn = Array.from({ length: rankedBatch }, () => random.pick(frames))
      const fed = directions.map(([name, shape]): [string, Tensor] => [
        name,
        floats(
          Array.from({ length: sizeOf(shape) }, () => (random.uniform() < 0.5 ? -1 : 1)),
          shape,
        ),
      ])
      const moved = await session.run({ frame: batchOf(drawn, config.size), ...Object.fromEntries(fed) })
      for (const group of groups) {
        const sum = group.slices.reduce(
          (total, { name, index, reads }) =>
            total + (reads ? (moved[changeOf(name)]!.data as Float32Array)[index]! : 0),
          0,
        )
        found.set(group, found.get(group)! + sum ** 2 / rankedBatches)
      }
    }
  } finally {
    await session.close()
  }
  return found
}

/**
 * The detector's results in random directions, and for each kernel that reads groups how these would change: one number for
 * each channel that it reads (`changeOf`). The directions are inputs.
 */
function rankingGraph(config: MotionConfig, groups: readonly ChannelGroup[]) {
  const graph = detectorGraph(config, { batch: rankedBatch })
  const results = [...graph.outputs]
  graph.outputs.clear()
  const directions = results.map(([name, { shape }]) => [`towards.${name}`, shape] as const)
  const seen = addAll(
    results.map(([name, value], i) => {
      const towards = reduceSum(mul(value, input(graph, directions[i]![0], 'float32', value.shape)))
      return mul(towards, resultWeights[name] ?? 1)
    }),
  )
  const readAxes = new Map(
    groups.flatMap(({ slices }) => slices.filter(({ reads }) => reads).map(({ name, axis }) => [name, axis])),
  )
  const kernels = graph.nodes.flatMap((node) => {
    const name = parameterInfo(node)?.name
    return name !== undefined && readAxes.has(name) ? [{ name, value: node.outputs[0]! }] : []
  })
  const slopes = gradient(
    seen,
    kernels.map(({ value }) => value),
  )
  kernels.forEach(({ name, value }, i) => {
    const others = value.shape.flatMap((_, axis) => (axis === readAxes.get(name) ? [] : [axis]))
    graph.output(changeOf(name), reduceSum(mul(value, slopes[i]!), others))
  })
  return { graph: simplify(graph), directions }
}

/** An output has a name of its own, besides that of the kernel. */
const changeOf = (kernel: string) => `change.${kernel}`

/** A keypoint is off by thousandths; a jacobian by hundredths. */
const resultWeights: Readonly<Record<string, number>> = { value: 10 }

/** How much groups matter by the scales of their norms, or by their kernels if they have none; in each layer, 1 in the mean. */
export function scalesOf({ channels: { groups, scales } }: Prunable, weights: Weights): Importance {
  const strengthOf = ({ slices }: ChannelGroup) => {
    const norms = slices.filter(({ name }) => scales.has(name))
    const own = norms.length > 0 ? norms : slices.filter(({ reads }) => !reads)
    return own.reduce((sum, { name, axis, index }) => {
      const { data, shape } = weights.get(name) as Tensor<'float32'>
      let squares = 0
      forSlice(shape, axis, index, (at) => {
        squares += data[at]! ** 2
      })
      return sum + Math.sqrt(squares) / own.length
    }, 0)
  }
  const strengths = groups.map((group) => [group, strengthOf(group)] as const)
  const sums = new Map<number, { sum: number; count: number }>()
  for (const [{ family }, strength] of strengths) {
    const { sum, count } = sums.get(family) ?? { sum: 0, count: 0 }
    sums.set(family, { sum: sum + strength, count: count + 1 })
  }
  return new Map(
    strengths.map(([group, strength]) => {
      const { sum, count } = sums.get(group.family)!
      return [group, (strength * count) / Math.max(sum, Number.MIN_VALUE)]
    }),
  )
}

/** The weights of the whole network with zeros where it reads groups: it computes what the network without them does. */
export function silenced(weights: Weights, groups: Iterable<ChannelGroup>): Map<string, Tensor> {
  const changed = new Map(weights)
  for (const { slices } of groups) {
    for (const { name, axis, index, reads } of slices) {
      if (!reads) continue
      const whole = weights.get(name) as Tensor<'float32'>
      if (changed.get(name) === whole) changed.set(name, { ...whole, data: whole.data.slice() })
      const { data } = changed.get(name)!
      forSlice(whole.shape, axis, index, (at) => {
        data[at] = 0
      })
    }
  }
  return changed
}

function forSlice(shape: Shape, axis: number, index: number, visit: (at: number) => void): void {
  const inner = sizeOf(shape.slice(axis + 1))
  const outer = sizeOf(shape.slice(0, axis))
  for (let i = 0; i < outer; i++) {
    const from = (i * shape[axis]! + index) * inner
    for (let at = from; at < from + inner; at++) visit(at)
  }
}

/** Some places of the first two axes. */
function taken({ data, shape }: Tensor<'float32'>, axes: readonly (readonly number[] | undefined)[]): Tensor {
  const sizes = [shape[0]!, shape[1] ?? 1]
  const [rows, columns] = axes.map((left, axis) => left ?? Array.from({ length: sizes[axis]! }, (_, i) => i))
  const inner = sizeOf(shape.slice(2))
  const found = new Float32Array(rows!.length * columns!.length * inner)
  rows!.forEach((row, i) => {
    columns!.forEach((column, j) => {
      const from = (row * sizes[1]! + column) * inner
      found.set(data.subarray(from, from + inner), (i * columns!.length + j) * inner)
    })
  })
  return floats(found, [rows!.length, ...(shape.length > 1 ? [columns!.length] : []), ...shape.slice(2)])
}

const shapesOf = (graph: Graph) => new Map(parametersOf(graph).map(({ name, shape }) => [name, shape]))
/** What is computed, in order. A layer may move channels in other ways if fewer are left. */
const opsOf = (graph: Graph) =>
  liveNodes(graph)
    .flatMap(({ op: { name } }) => (movingOps.has(name) ? [] : [name]))
    .join(' ')

const prefix = 'kp_detector.'
const layerOf = (kernel: string) => kernel.slice(prefix.length, kernel.lastIndexOf('.'))

function tooMuch(whole: number, left: number, target: number): InputError {
  const percent = (macs: number) => `${Math.round((100 * macs) / whole)} %`
  return new InputError({
    what: 'not so much of the detector can be removed',
    got: `${percent(whole - target)} of its multiply-adds`,
    expected: `at most ${percent(whole - left)}`,
    remedy: 'remove a smaller part, or choose a network with more channels',
  })
}
