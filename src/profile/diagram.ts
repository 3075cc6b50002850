// The shape of a network, found in its graph: stages of one resolution and width, and the edges
// between them.

import type { Graph, Node, Value } from '../graph/graph.ts'
import { reachOf } from '../graph/op.ts'
import { simplify } from '../graph/ops/index.ts'
import { inputInfo, parameterInfo } from '../graph/ops/leaf.ts'
import { liveNodes } from '../graph/rewrite.ts'
import { sizeOf } from '../graph/tensor.ts'
import { macsOf } from './costs.ts'

/**
 * The shape of a network, found in its graph: stages of one resolution and width, in order, and the
 * edges from each to later ones. It is enough to draw the network.
 */
export interface Diagram {
  /** The stages, in order. */
  readonly stages: readonly Stage[]
  /** What goes from stage to stage. */
  readonly edges: readonly DiagramEdge[]
}

/** A stage of a network: layers of one resolution and width. */
export interface Stage {
  /** The picture, feature maps, or values that are read from maps and are no maps themselves. */
  readonly kind: 'input' | 'maps' | 'readout'
  /** Of a detector; undefined in a plain network. */
  readonly part: DiagramPart | undefined
  /** The modules with weights that it is made of, by name. */
  readonly modules: readonly string[]
  /** Channels, height and width of its result. Empty for a readout, whose shapes are in `results`. */
  readonly shape: readonly number[]
  /** Shapes of a readout, by name. */
  readonly results: Readonly<Record<string, readonly number[]>>
  /** Trained numbers. */
  readonly params: number
  /** Multiply-accumulates. */
  readonly macs: number
}

/** Maps that go from one stage to a later one. */
export interface DiagramEdge {
  /** Indices of stages, `from` before `to`. */
  readonly from: number
  /** Index of the later stage. */
  readonly to: number
  /** Channels that go over; 0 where pooling indices do. */
  readonly channels: number
  /** What goes over. */
  readonly kind: 'maps' | 'pooling indices'
}

/** The part of a detector that a stage is in. */
export type DiagramPart = 'backbone' | 'head'

/** The parts of a detector, by the names of their scopes. */
const parts: Readonly<Record<string, DiagramPart>> = { predictor: 'backbone', head: 'head' }

/** A stage in the making. */
interface Draft {
  kind: Stage['kind']
  part: DiagramPart | undefined
  level: number
  shape: readonly number[]
  modules: Set<string>
  params: number
  macs: number
}

/** The nodes of a module at one resolution. */
interface Unit {
  readonly module: string
  readonly level: number
  readonly nodes: readonly Node[]
  /** Whether it gives the module's result. */
  readonly last: boolean
}

/** Finds the stages of the live part of a graph with one picture as its input. */
export function diagram(graph: Graph): Diagram {
  const simple = simplify(graph)
  const nodes = liveNodes(simple)
  const levels = mapLevels(nodes)
  const stageOf = new Map<Node, number>()
  /** The stage of the result of a node's module. */
  const endOf = new Map<Node, number>()
  let module: Node[] = []
  const drafts: Draft[] = []
  const claim = claimer(levels)

  for (const node of nodes) {
    const info = inputInfo(node)
    if (info === undefined) continue
    stageOf.set(node, drafts.length)
    drafts.push({ ...emptyDraft, kind: 'input', modules: new Set(), shape: info.shape.slice(1) })
  }
  for (const unit of unitsOf(nodes, levels)) {
    const made = lastMap(unit, levels)
    const weights = unit.nodes.flatMap(claim)
    const params = weights.reduce((sum, node) => sum + paramsOf(node), 0)
    const part = partOf(unit.module) ?? drafts.at(-1)?.part
    let stage = drafts.at(-1)!
    if (!belongs(unit, made, part, params, stage)) {
      stage = { ...emptyDraft, part, level: unit.level, shape: made ?? [], modules: new Set() }
      drafts.push(stage)
    } else if (made !== undefined && (unit.last || stage.params === 0)) stage.shape = made
    stage.params += params
    stage.macs += [...unit.nodes, ...weights].reduce((sum, node) => sum + macsOf(node), 0)
    if (params > 0) stage.modules.add(moduleName(unit.module))
    for (const node of unit.nodes) stageOf.set(node, drafts.length - 1)
    module.push(...unit.nodes)
    if (!unit.last) continue
    for (const node of module) endOf.set(node, drafts.length - 1)
    module = []
  }
  const edges = edgesOf(nodes, stageOf, endOf)
  const stages: Stage[] = drafts.map(({ level: _, modules, ...draft }) => ({
    ...draft,
    modules: [...modules],
    results: {},
  }))
  return withReadout({ stages, edges }, simple, levels, stageOf)
}

const emptyDraft = { kind: 'maps', part: undefined, level: 0, params: 0, macs: 0 } as const

/** Whether a unit goes on with the stage before it. */
function belongs(
  unit: Unit,
  made: readonly number[] | undefined,
  part: DiagramPart | undefined,
  params: number,
  stage: Draft,
): boolean {
  if (stage.kind === 'input') return made === undefined
  if (stage.level !== unit.level || stage.part !== part) return false
  // A pool or a resize on its own is where the next module begins.
  const begins = stage.params === 0
  const same = made === undefined || made[0] === stage.shape[0]
  return begins || same || params === 0 || !unit.last || isNextInList([...stage.modules], unit.module)
}

/** Dense blocks widen the maps one after the other; they are one list of modules, and one stage. */
function isNextInList(modules: readonly string[], scope: string): boolean {
  const listOf = (name: string) => /^(.+\.)\d+$/.exec(name)?.[1]
  const list = listOf(moduleName(scope))
  return list !== undefined && list === listOf(modules.at(-1) ?? '')
}

/** Runs of nodes of one module, each split where the resolution changes. */
function* unitsOf(nodes: readonly Node[], levels: ReadonlyMap<Node, MapLevel>): Generator<Unit> {
  const computed = nodes.filter((node) => levels.has(node) && inputInfo(node) === undefined)
  let level = 0
  for (let start = 0; start < computed.length; ) {
    const module = computed[start]!.scope
    let end = start
    while (computed[end]?.scope === module) end++
    const units = byLevel(computed.slice(start, end), levels, level)
    for (const [i, unit] of units.entries()) yield { ...unit, module, last: i === units.length - 1 }
    level = units.at(-1)!.level
    start = end
  }
}

/**
 * Nodes of a module in an order that stays at a resolution as long as something can be computed there: branches
 * are built one after the other, and would otherwise lead up and down several times. What is no map belongs
 * where it is used first.
 */
function byLevel(nodes: readonly Node[], levels: ReadonlyMap<Node, MapLevel>, from: number) {
  const levelOf = (node: Node) => levels.get(node)!.level
  const waiting = new Set(nodes)
  const order: Node[] = []
  const units: { level: number; nodes: Node[] }[] = []
  const unitOf = new Map<Node, number>()
  let level = from
  while (waiting.size > 0) {
    const ready = [...waiting].filter((node) => !node.inputs.some((value) => waiting.has(value.node)))
    const here = ready.find((node) => levelOf(node) === level)
    const next = here ?? ready.find((node) => levelOf(node) === undefined) ?? ready[0]!
    waiting.delete(next)
    order.push(next)
    const at = levelOf(next)
    if (at === undefined) continue
    if (units.at(-1)?.level !== at) units.push({ level: at, nodes: [] })
    unitOf.set(next, units.length - 1)
    level = at
  }
  if (units.length === 0) units.push({ level, nodes: [] })
  for (const node of order.toReversed()) {
    const unit = unitOf.get(node) ?? units.length - 1
    units[unit]!.nodes.unshift(node)
    for (const { node: source } of node.inputs) {
      if (levels.get(source)?.level === undefined) {
        unitOf.set(source, Math.min(unit, unitOf.get(source) ?? unit))
      }
    }
  }
  return units
}

/** Channels, height and width of the last map that a unit makes. */
function lastMap({ nodes }: Unit, levels: ReadonlyMap<Node, MapLevel>): readonly number[] | undefined {
  const map = nodes.findLast((node) => levels.get(node)!.level !== undefined)
  return map?.outputs[0]?.shape.slice(1)
}

/** Weights, and what is computed of weights alone, belong to the first node that reads them. */
function claimer(levels: ReadonlyMap<Node, MapLevel>): (node: Node) => Node[] {
  const claimed = new Set<Node>()
  const claim = (node: Node): Node[] =>
    node.inputs.flatMap(({ node: source }) => {
      if (levels.has(source) || claimed.has(source)) return []
      claimed.add(source)
      return [source, ...claim(source)]
    })
  return claim
}

function paramsOf(node: Node): number {
  const info = parameterInfo(node)
  return info?.role === 'weight' ? sizeOf(info.shape) : 0
}

/** `layers.3` of `kp_detector/predictor/layers.3`. */
export function moduleName(scope: string): string {
  const names = scope.split('/')
  const part = names.findIndex((name) => parts[name] !== undefined)
  return names.slice(part + 1).join('/') || names.at(-1) || '(top)'
}

const partOf = (scope: string): DiagramPart | undefined =>
  scope
    .split('/')
    .map((name) => parts[name])
    .find((part) => part !== undefined)

/**
 * The edges from stage to stage. Pooling indices give the places of the greatest numbers in the map before the pool.
 * So they go from the stage of that map to the stage that is made with them.
 */
function edgesOf(
  nodes: readonly Node[],
  stageOf: ReadonlyMap<Node, number>,
  endOf: ReadonlyMap<Node, number>,
): DiagramEdge[] {
  const edges = new Map<string, DiagramEdge>()
  for (const node of nodes) {
    for (const value of node.inputs) {
      const indices = isIndices(value)
      const from = stageOf.get(indices ? value.node.inputs[0]!.node : value.node)
      const to = indices ? endOf.get(node) : stageOf.get(node)
      if (from === undefined || to === undefined || from === to) continue
      const kind = indices ? 'pooling indices' : 'maps'
      const key = `${from} ${to} ${kind}`
      const channels = indices ? 0 : (value.shape[1] ?? 0)
      edges.set(key, { from, to, kind, channels: Math.max(channels, edges.get(key)?.channels ?? 0) })
    }
  }
  return [...edges.values()].sort((a, b) => a.from - b.from || a.to - b.to)
}

const isIndices = ({ node, index }: Value) => node.op.name === 'maxPool' && index === 1

/** Adds a last stage for outputs that are no maps: keypoints, for instance. */
function withReadout(
  { stages, edges }: Diagram,
  graph: Graph,
  levels: ReadonlyMap<Node, MapLevel>,
  stageOf: ReadonlyMap<Node, number>,
): Diagram {
  const outputs = [...graph.outputs].filter(([, { node }]) => levels.get(node)?.level === undefined)
  if (outputs.length === 0) return { stages, edges }
  const readout: Stage = {
    kind: 'readout',
    part: stages.at(-1)?.part,
    modules: [],
    shape: [],
    results: Object.fromEntries(outputs.map(([name, { shape }]) => [name, shape.slice(1)])),
    params: 0,
    macs: 0,
  }
  const from = [...new Set(outputs.map(([, { node }]) => stageOf.get(node)!))]
  const to = stages.length
  return {
    stages: [...stages, readout],
    edges: [...edges, ...from.map((stage) => ({ from: stage, to, channels: 0, kind: 'maps' as const }))],
  }
}

/** Where in the pyramid of resolutions a node computes. */
interface MapLevel {
  /**
   * How often the picture's sides are halved, rounded: 0 at full resolution, 3 at 1/8. Undefined if the
   * result is no map: a global mean, or numbers read from maps.
   */
  readonly level: number | undefined
}

/** The level of every node that depends on the picture. */
function mapLevels(nodes: readonly Node[]): Map<Node, MapLevel> {
  const levels = new Map<Node, MapLevel>()
  let picture = 1
  for (const node of nodes) {
    const info = inputInfo(node)
    if (info !== undefined) picture = sizeOf(info.shape.slice(-2))
    const sources = node.inputs.filter((value) => levels.has(value.node))
    if (info === undefined && sources.length === 0) continue
    const shape = node.outputs[0]!.shape
    const [h, w] = shape.slice(-2) as [number, number]
    const sameSize = (other: readonly number[]) => other.at(-2) === h && other.at(-1) === w
    const maps = sources.filter((value) => levels.get(value.node)!.level !== undefined)
    const isMap =
      info !== undefined ||
      (makesMaps(node)
        ? (maps.length > 0 && !isGlobalPool(node)) || h * w > 1
        : shape.length >= 4 && maps.some(({ shape }) => sameSize(shape)))
    levels.set(node, { level: isMap ? Math.round(Math.log2(picture / (h * w)) / 2) : undefined })
  }
  return levels
}

/** Whether the result is a map wherever it has rows and columns. Of other ops it is one if an input of its size is. */
function makesMaps(node: Node): boolean {
  const reach = reachOf(node)
  if (typeof reach === 'string') return reach === 'samples'
  return ['kernel', 'transposed kernel', 'pool', 'resize'].includes(reach.by)
}

/** A window as large as the map. */
function isGlobalPool(node: Node): boolean {
  const reach = reachOf(node)
  const [from, to] = [node.inputs[0]!.shape, node.outputs[0]!.shape]
  const pools = typeof reach === 'object' && reach.by === 'pool'
  return pools && sizeOf(to.slice(2)) === 1 && sizeOf(from.slice(2)) > 4
}
