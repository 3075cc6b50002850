// Lists, counts and times networks in the worker.
import type { Graph, Node } from '../../graph/graph.ts'
import { simplify } from '../../graph/ops/index.ts'
import { inputInfo, isLeaf, parametersOf } from '../../graph/ops/leaf.ts'
import { liveNodes } from '../../graph/rewrite.ts'
import { floats, sizeOf } from '../../graph/tensor.ts'
import { smallConfig } from '../../motion/config.ts'
import { detectorGraph } from '../../motion/model.ts'
import { opsInWords } from '../../profile/costs.ts'
import { diagram, moduleName } from '../../profile/diagram.ts'
import { timeInTurn, timingWeights } from '../../profile/latency.ts'
import { profile, profileNet } from '../../profile/profile.ts'
import { receptiveField } from '../../profile/receptive-field.ts'
import { Random } from '../../util/random.ts'
import { findNet, netNames, networkGraph } from '../../zoo/registry.ts'
import type { SentPlace } from '../connection.ts'
import type { NetworkBlock, NetworkFacts, NetworkProfile, NetworkTime } from '../networks.ts'
import { Processor, rewritten, tell } from './device.ts'

/** Side of the pictures on which networks are counted and timed, in pixels. */
const side = 64

export function listNetworks(): NetworkFacts[] {
  return netNames.map((name) => {
    const { title, year, paper, reconstruction } = findNet(name)
    return { name, title, year, paper, reconstruction: reconstruction === true }
  })
}

export function profileNetwork(name: string, as: 'detector' | 'network'): NetworkProfile {
  const graph = as === 'detector' ? detectorOf(name) : networkGraph(name, { outputs: 10 }).graph
  const { layers: _, ...counted } = profile(graph)
  // Published parameters that no output depends on count for a network, as in the papers.
  const shape = [...graph.nodes].find((node) => inputInfo(node) !== undefined)!.outputs[0]!.shape
  const [, channels, height, width] = shape as [number, number, number, number]
  const params =
    as === 'network'
      ? profileNet(name, { outputs: 10, input: [channels, height, width] }).params
      : counted.params
  return { ...counted, params, diagram: diagram(graph), blocks: blocksOf(graph) }
}

/** Times a network's detector as it would run here: rewritten for this device, with random weights. */
export async function timeNetwork(name: string, rounds: number, place: SentPlace): Promise<NetworkTime> {
  const given = simplify(detectorOf(name))
  const processor = await Processor.open(place)
  const { openSession } = processor
  const weights = timingWeights(parametersOf(given), 1)
  const network = await rewritten(processor)({ graph: given, weights })
  const session = await openSession(network.graph, { weights: network.weights })
  try {
    const random = new Random(1)
    const shape = [1, 3, side, side]
    const frame = floats(
      Float32Array.from({ length: sizeOf(shape) }, () => random.uniform()),
      shape,
    )
    const { latencies } = await timeInTurn([{ run: () => session.run({ frame }) }], {
      rounds,
      onRun: (done, total) => tell({ kind: 'progress', done, total }),
    })
    const { device, threads } = processor.computing
    const { median, min } = latencies[0]!
    return { median, min, device, threads }
  } finally {
    await session.close()
  }
}

const detectorOf = (name: string): Graph => detectorGraph(smallConfig({ net: name, size: side }))

/** The parts of a network in the order of computing: what each computes and costs, and its receptive field. */
function blocksOf(graph: Graph): NetworkBlock[] {
  const nodes = liveNodes(simplify(graph))
  const costs = new Map(profile(graph).layers.map((layer) => [layer.name, layer]))
  const byScope = new Map<string, Node[]>()
  for (const node of nodes) {
    // Weights and constants are made where they stand, not where they are used.
    if (isLeaf(node)) continue
    const scope = node.scope === '' ? '(top)' : node.scope
    byScope.set(scope, [...(byScope.get(scope) ?? []), node])
  }
  return Array.from(byScope).flatMap(([name, own]) => {
    const cost = costs.get(name)
    if (cost === undefined) return []
    const { shape, params, macs, activationBytes } = cost
    return {
      name,
      module: moduleName(name),
      does: opsInWords(own),
      shape: shape.slice(1),
      params,
      macs,
      activationBytes,
      receptiveField: receptiveField(nodes, own.at(-1)!.outputs),
    }
  })
}
