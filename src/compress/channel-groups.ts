// Channels of a network that can be removed, found from its graph: channels that must go together are one group (Fang et al. 2023,
// "DepGraph: towards any structural pruning").
//
// Every element of every value gets a number, its class. Elements of one class can only be removed together. Ops that move
// elements move their classes: the ops' own references do it. Ops that compute element by element make one class of what
// they read together. A convolution ends the classes that it reads and begins others. What any other op reads stays.
//
// One file, because all kinds of ops are rules of one walk.

import type { Graph, Node, TensorType, Value } from '../graph/graph.ts'
import { reachOf } from '../graph/op.ts'
import { parameterInfo } from '../graph/ops/leaf.ts'
import { forBroadcast } from '../graph/ops/support.ts'
import { liveNodes, numbers } from '../graph/rewrite.ts'
import { type Shape, sizeOf } from '../graph/tensor.ts'
import { macsOf } from '../profile/costs.ts'

/** A place along one axis of a parameter. */
export interface ChannelSlice {
  /** Name of the parameter. */
  readonly name: string
  /** 0 or 1. */
  readonly axis: number
  readonly index: number
  /** Whether a convolution reads the channel there. The channel has no other effect: zeros there are as good as no channel. */
  readonly reads: boolean
}

/** Channels that can only be removed together. */
export interface ChannelGroup {
  /** All places of parameters that go with them. */
  readonly slices: readonly ChannelSlice[]
  /** The same for all groups that take places of the same axes: one layer, or all layers of one residual stream. */
  readonly family: number
}

/** A convolution's multiply-adds, which shrink with both axes of its kernel. */
export interface ConvCost {
  /** Name of the kernel's parameter. */
  readonly kernel: string
  readonly macs: number
}

/** What can be removed from a network. */
export interface Channels {
  readonly groups: readonly ChannelGroup[]
  /** Convolutions whose kernels are parameters. */
  readonly convs: readonly ConvCost[]
  /** Kernels of convolutions that decide the number of their results, with the axis of the results. */
  readonly widths: ReadonlyMap<string, 0 | 1>
  /** Parameters that are scales of norms. */
  readonly scales: ReadonlySet<string>
}

/** Finds the groups of a network that is built in evaluation mode. */
export function channelGroups(graph: Graph): Channels {
  const walk = new Walk()
  for (const node of liveNodes(graph)) walk.visit(node)
  for (const value of graph.outputs.values()) walk.keep(value)
  return walk.result()
}

/** Classes: `none` for elements that fit any channel (zeros, numbers for all channels), `stays` for what must stay. */
const [none, stays] = [0, 1]

/** Classes that become one when they are joined. */
class Classes {
  private readonly parents = [none, stays]

  fresh(): number {
    this.parents.push(this.parents.length)
    return this.parents.length - 1
  }

  of(one: number): number {
    let at = one
    while (this.parents[at] !== at) {
      this.parents[at] = this.parents[this.parents[at]!]!
      at = this.parents[at]!
    }
    return at
  }

  join(a: number, b: number): void {
    const [x, y] = [this.of(a), this.of(b)]
    if (x === none || y === none || x === y) return
    this.parents[Math.max(x, y)] = Math.min(x, y)
  }
}

/** The classes of a value's elements. */
type Labels = Float64Array

/** Ops that only move elements. */
export const movingOps: ReadonlySet<string> = new Set([
  ...['reshape', 'transpose', 'slice', 'pad', 'reverse', 'concat', 'split'],
])
/** Ops of the reach `place` that do more than compute element by element. */
const others: ReadonlySet<string> = new Set([
  ...['expand', 'batchNormalise', 'fakeQuantise', 'quantise', 'dequantise'],
])

/** The classes along the axes of a kernel, once it was used. */
interface Kernel {
  readonly axes: (number[] | undefined)[]
  /** The axis that reads channels: 1, or 0 of a transposed convolution. A depthwise kernel has none: it passes them on. */
  readAxis: 0 | 1 | 'none' | undefined
  /** Whether it is used in two ways. */
  kept: boolean
}

class Walk {
  private readonly classes = new Classes()
  private readonly labels = new Map<Value, Labels>()
  private readonly kernels = new Map<string, Kernel>()
  private readonly vectors = new Map<string, Labels>()
  /** Kernels that are moved, to be read by a product: their classes are those of their columns, axis 1. */
  private readonly columns = new Set<Value>()
  private readonly convs: ConvCost[] = []
  private readonly widths = new Map<string, 0 | 1>()
  private readonly scales = new Set<string>()

  visit(node: Node): void {
    const { name, reach } = node.op
    const how = reachOf(node)
    if (node.inputs.length === 0) this.leaf(node)
    else if (name === 'conv' || name === 'convTranspose') this.convolution(node)
    else if (movingOps.has(name)) this.move(node)
    else if (name === 'matmul') this.product(node)
    else if (node.inputs.some((value) => this.columns.has(value))) this.refuse(node)
    else if (name === 'normalise') this.norm(node)
    else if (reach === 'place' && !others.has(name)) this.elementwise(node)
    else if (typeof how === 'object' && (how.by === 'pool' || how.by === 'resize')) this.window(node)
    else if (typeof how === 'object' && how.by === 'axes') this.along(node, how.axes)
    else this.refuse(node)
  }

  /** Nothing of the value is removed. */
  keep(value: Value): void {
    for (const label of this.read(value)) this.classes.join(label, stays)
  }

  private refuse(node: Node): void {
    for (const value of node.inputs) this.keep(value)
    for (const value of node.outputs) this.labels.set(value, filled(value, stays))
  }

  private leaf(node: Node): void {
    const [value] = node.outputs as [Value]
    const info = parameterInfo(node)
    const size = sizeOf(value.shape)
    if (info === undefined) this.labels.set(value, filled(value, size === 1 ? none : stays))
    else if (size === 1) this.labels.set(value, filled(value, none))
    else if (info.shape.length === 1) {
      const labels = filled(value, none).map(() => this.classes.fresh())
      this.labels.set(value, labels)
      this.vectors.set(info.name, labels)
    } else this.kernels.set(info.name, { axes: [undefined, undefined], readAxis: undefined, kept: false })
  }

  /** The classes of a value. Of a kernel, they are those of its columns. */
  private read(value: Value): Labels {
    const known = this.labels.get(value)
    if (known !== undefined) return known
    const kernel = this.kernels.get(parameterInfo(value.node)!.name)!
    this.use(kernel, 1)
    this.columns.add(value)
    const labels = spread(this.bind(kernel, 1, kernel.axes[1] ?? this.fresh(value.shape[1]!)), value.shape)
    this.labels.set(value, labels)
    return labels
  }

  private readonly fresh = (count: number) => Array.from({ length: count }, () => this.classes.fresh())

  /** A kernel that is used in two ways stays as it is. */
  private use(kernel: Kernel, readAxis: Kernel['readAxis']): void {
    if (kernel.readAxis !== undefined && kernel.readAxis !== readAxis) kernel.kept = true
    kernel.readAxis = readAxis
  }

  /** The class of each channel of [N, C, ...]. If it is not the same everywhere in a channel, the value stays. */
  private channelsOf(value: Value): number[] {
    const labels = this.read(value)
    const axes = value.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]))
    if (axes.some((axis) => this.varies(labels, value.shape, axis))) this.keep(value)
    return [...reduced(labels, value.shape, axes)]
  }

  private convolution(node: Node): void {
    const [x, w, bias] = node.inputs as [Value, Value, Value?]
    const [y] = node.outputs as [Value]
    const info = parameterInfo(w.node)
    const kernel = info && this.kernels.get(info.name)
    const group = Number(node.attrs.group)
    const transposed = node.op.name === 'convTranspose'
    if (info === undefined || kernel === undefined || (transposed && group !== 1)) {
      this.refuse(node)
      return
    }
    const [inputs, outputs] = [x.shape[1]!, y.shape[1]!]
    const read = this.channelsOf(x)
    const depthwise = group > 1 && group === inputs && group === outputs
    const reads = transposed ? 0 : 1
    const readAxis = depthwise ? 'none' : reads
    this.use(kernel, readAxis)
    this.convs.push({ kernel: info.name, macs: macsOf(node) })
    const made = depthwise ? this.bind(kernel, 0, read) : this.mixed(kernel, reads, read, outputs, group)
    if (!depthwise) this.widths.set(info.name, transposed ? 1 : 0)
    if (bias !== undefined) this.join(made, this.read(bias))
    this.labels.set(y, spread(made, y.shape))
  }

  /** A convolution of which each result reads all channels of its group. As many channels are left in each group. */
  private mixed(kernel: Kernel, reads: 0 | 1, read: number[], outputs: number, group: number): number[] {
    const [inner, each] = [read.length / group, outputs / group]
    const columns = read.slice(0, inner)
    for (let i = 0; i < read.length; i++) this.classes.join(read[i]!, columns[i % inner]!)
    this.bind(kernel, reads, columns)
    const axis = reads === 0 ? 1 : 0
    const made = this.bind(kernel, axis, kernel.axes[axis] ?? this.fresh(outputs))
    if (group > 1) for (let o = 0; o < outputs; o++) this.classes.join(made[o]!, made[o % each]!)
    return made
  }

  /** An axis of a kernel goes with these classes. @returns its classes */
  private bind(kernel: Kernel, axis: 0 | 1, classes: readonly number[]): number[] {
    const own = kernel.axes[axis] ?? classes.map((label) => (label === none ? stays : label))
    kernel.axes[axis] = own
    this.join(own, classes)
    for (let i = 0; i < own.length; i++) if (classes[i] === none) this.classes.join(own[i]!, stays)
    return own
  }

  private join(a: ArrayLike<number>, b: ArrayLike<number>): void {
    for (let i = 0; i < a.length; i++) this.classes.join(a[i]!, b[i]!)
  }

  private norm(node: Node): void {
    const [x, ...vectors] = node.inputs as [Value, ...Value[]]
    const [y] = node.outputs as [Value]
    const scale = parameterInfo(vectors[0]!.node)
    if (scale !== undefined) this.scales.add(scale.name)
    const [first, ...more] = vectors.map((vector) => this.read(vector))
    const made = this.channelsOf(x).map((label, c) => (label === none ? first![c]! : label))
    for (const labels of [first!, ...more]) this.join(made, labels)
    this.labels.set(y, spread(made, y.shape))
  }

  private elementwise(node: Node): void {
    const [y] = node.outputs as [Value]
    const parts = node.inputs.map((value) => ({ value, shape: value.shape, labels: this.read(value) }))
    const sizeAt = (shape: Shape, axis: number) => shape[axis - y.shape.length + shape.length] ?? 1
    // What is one number for many channels must stay, and ties none of them to another.
    const forMany = new Set<Value>()
    y.shape.forEach((size, axis) => {
      const stretched = parts.filter(({ shape }) => sizeAt(shape, axis) < size)
      const differs = parts.some(
        ({ shape, labels }) =>
          sizeAt(shape, axis) === size && this.varies(labels, shape, axis - y.shape.length + shape.length),
      )
      if (differs) for (const { value } of stretched) forMany.add(value)
    })
    for (const value of forMany) this.keep(value)
    const made = filled(y, none)
    for (const { value, shape, labels } of parts) {
      if (forMany.has(value)) continue
      forBroadcast(y.shape, shape, (i, at) => {
        if (made[i] === none) made[i] = labels[at]!
        else if (made[i] !== labels[at]) this.classes.join(made[i]!, labels[at]!)
      })
    }
    this.labels.set(y, made)
  }

  /**
   * A product of matrices [..., m, k] and [..., k, n]. Channels pass along n if only the second has them; and a kernel's
   * columns along k read those of the other.
   */
  private product(node: Node): void {
    const [[a, b], [y]] = [node.inputs as [Value, Value], node.outputs as [Value]]
    const sides = [a, b].map((value) => ({
      ...value,
      labels: this.read(value),
      kernel: this.columns.has(value),
    }))
    const [left, right] = sides as [(typeof sides)[number], (typeof sides)[number]]
    const varying = ({ shape, labels }: (typeof sides)[number]) =>
      shape.flatMap((_, axis) => (this.varies(labels, shape, axis) ? [axis - shape.length] : []))
    const [across, down] = [varying(left), varying(right)]
    const only = (axes: readonly number[], axis: number) => axes.length === 1 && axes[0] === axis
    if (!left.kernel && !right.kernel && across.length === 0 && only(down, -1)) {
      const columns = reduced(right.labels, b.shape, allBut(b.shape, -1))
      this.labels.set(
        y,
        filled(y, none).map((_, i) => columns[i % columns.length]!),
      )
      this.keep(a)
    } else if (left.kernel && !right.kernel && only(across, -1) && only(down, -2)) {
      this.join(
        reduced(left.labels, a.shape, allBut(a.shape, -1)),
        reduced(right.labels, b.shape, allBut(b.shape, -2)),
      )
      this.labels.set(y, filled(y, stays))
    } else this.refuse(node)
  }

  /** The op's own reference moves classes as it moves numbers. What it adds fits any channel. */
  private move(node: Node): void {
    const { op, attrs, inputs, outputs } = node
    const labels = inputs.map((value) => this.read(value))
    this.tieParts(node, labels[0]!)
    const plain = inputs.map(({ shape }, i) => ({ shape, data: labels[i]! }))
    const moved = op.reference(plain, op.name === 'pad' ? { ...attrs, value: none } : attrs, outputs)
    const columns = inputs.some((value) => this.columns.has(value))
    if (columns && op.name !== 'reshape' && op.name !== 'transpose') {
      this.refuse(node)
      return
    }
    outputs.forEach((value, i) => {
      if (columns) this.columns.add(value)
      this.labels.set(value, moved[i]!)
      this.tieAxes(moved[i]!, value.shape)
    })
  }

  /** Layers cut channels in equal parts: what stands at the same place of each part goes together. */
  private tieParts({ op, attrs, inputs: [x] }: Node, labels: Labels): void {
    const { shape } = x!
    if (op.name === 'split') this.tie(labels, shape, Number(attrs.axis), numbers(attrs.lengths))
    if (op.name !== 'slice') return
    shape.forEach((size, axis) => {
      const [start, end] = [numbers(attrs.starts)[axis]!, numbers(attrs.ends)[axis]!]
      if (end - start < size) this.tie(labels, shape, axis, [start, end, size])
    })
  }

  /** If channels stand along several axes (before a shuffle), the ones that are left must fill a smaller block. */
  private tieAxes(labels: Labels, shape: Shape): void {
    const along = shape.flatMap((size, axis) => (size > 1 && this.varies(labels, shape, axis) ? [axis] : []))
    along.sort((a, b) => shape[b]! - shape[a]!)
    for (const axis of along.slice(1)) this.tie(labels, shape, axis, [1])
  }

  /** Makes one class of what is a multiple of the greatest common divisor apart. */
  private tie(labels: Labels, shape: Shape, axis: number, lengths: readonly number[]): void {
    const period = lengths.reduce(commonDivisor, 0)
    const stride = sizeOf(shape.slice(axis + 1))
    for (let i = 0; i < labels.length; i++) {
      const place = Math.floor(i / stride) % shape[axis]!
      if (place >= period) this.classes.join(labels[i]!, labels[i - (place - (place % period)) * stride]!)
    }
  }

  /** A pool or a resizing: each channel by itself. */
  private window(node: Node): void {
    const channels = this.channelsOf(node.inputs[0]!)
    for (const value of node.outputs) this.labels.set(value, spread(channels, value.shape))
  }

  /** A sum, a mean or a softmax along axes. */
  private along(node: Node, axes: readonly number[]): void {
    const [[x], [y]] = [node.inputs as [Value], node.outputs as [Value]]
    const labels = this.read(x)
    const left = reduced(labels, x.shape, axes)
    const own =
      y.shape.length === x.shape.length && [labels, left].find(({ length }) => length === sizeOf(y.shape))
    if (own && !axes.some((axis) => this.varies(labels, x.shape, axis))) this.labels.set(y, own)
    else this.refuse(node)
  }

  /** Whether elements of different classes stand along an axis. */
  private varies(labels: Labels, shape: Shape, axis: number): boolean {
    if (shape[axis] === 1) return false
    const first = reduced(labels, shape, [axis])
    const [size, stride] = [shape[axis]!, sizeOf(shape.slice(axis + 1))]
    return labels.some((label, i) => {
      if (label === none) return false
      const other = first[Math.floor(i / (size * stride)) * stride + (i % stride)]!
      return label !== other && this.classes.of(label) !== this.classes.of(other)
    })
  }

  result(): Channels {
    const members = new Map<number, ChannelSlice[]>()
    const add = (label: number, slice: ChannelSlice) => {
      const root = this.classes.of(label)
      if (root === stays) return
      const known = members.get(root)
      if (known === undefined) members.set(root, [slice])
      else known.push(slice)
    }
    for (const { kept, axes } of this.kernels.values()) {
      if (kept) for (const label of axes.flatMap((axis) => axis ?? [])) this.classes.join(label, stays)
    }
    for (const [name, { axes, readAxis }] of this.kernels) {
      axes.forEach((labels, axis) => {
        labels?.forEach((label, index) => {
          add(label, { name, axis, index, reads: axis === readAxis })
        })
      })
    }
    for (const [name, labels] of this.vectors) {
      labels.forEach((label, index) => {
        add(label, { name, axis: 0, index, reads: false })
      })
    }
    const families = new Map<string, number>()
    const groups = Array.from(members.values(), (slices): ChannelGroup => {
      const key = [...new Set(slices.map(({ name, axis }) => `${name} ${axis}`))].join()
      const family = families.get(key) ?? families.size
      families.set(key, family)
      return { slices, family }
    })
    return { groups, convs: this.convs, widths: this.widths, scales: this.scales }
  }
}

const filled = ({ shape }: TensorType, label: number): Labels => new Float64Array(sizeOf(shape)).fill(label)

/** The classes of channels as those of all elements of [N, C, ...]. */
function spread(channels: ArrayLike<number>, shape: Shape): Labels {
  const pixels = sizeOf(shape.slice(2))
  return new Float64Array(sizeOf(shape)).map((_, i) => channels[Math.floor(i / pixels) % shape[1]!]!)
}

/** The first class that is not `none` along axes, which keep the length 1. */
function reduced(labels: Labels, shape: Shape, axes: readonly number[]): Labels {
  const left = shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
  const found = new Float64Array(sizeOf(left))
  forBroadcast(shape, left, (i, at) => {
    if (found[at] === none) found[at] = labels[i]!
  })
  return found
}

/** All axes but one, which is counted from the end. */
const allBut = (shape: Shape, axis: number) => shape.flatMap((_, i) => (i === shape.length + axis ? [] : [i]))

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b))
