// What a network costs, by counting: parameters, multiply-accumulates, activations, receptive field.
import { Graph, type Node } from '../graph/graph.ts'
import { simplify } from '../graph/ops/index.ts'
import { input, parameterInfo } from '../graph/ops/leaf.ts'
import { liveNodes } from '../graph/rewrite.ts'
import { sizeOf } from '../graph/tensor.ts'
import { type Clipping, type Dilations, Scope } from '../layers/scope.ts'
import { type MotionConfig, type SmallConfigOptions, smallConfig } from '../motion/config.ts'
import type { Head, SkipChoice } from '../motion/keypoints.ts'
import { detect } from '../motion/model.ts'
import { toOnnx } from '../onnx/export.ts'
import { decodeBytes } from '../onnx/import/decode.ts'
import { type Net, ownOptions } from '../zoo/net.ts'
import { findNet, networkGraph } from '../zoo/registry.ts'
import { activationBytesOf, macsOf } from './costs.ts'
import { receptiveField } from './receptive-field.ts'

/** What a graph costs, by counting: nothing is run. */
export interface Profile {
  /** Trained numbers, as PyTorch counts `parameters()`: no running statistics. */
  readonly params: number
  /** Multiply-accumulates of convolutions and matrix products. */
  readonly macs: number
  /**
   * Bytes of all that the graph computes on its way, each result once: what is written to memory in a run,
   * and what training keeps. Inputs, weights and views (reshape) are not counted.
   */
  readonly activationBytes: number
  /** Side of the square of input pixels that one output depends on; larger than the picture if theory says so. */
  readonly receptiveField: number
  /** Nodes of the exported ONNX model. */
  readonly ops: number
  /** The same counts by part of the network, in the order of building. */
  readonly layers: readonly LayerProfile[]
}

/** The counts of one part of a network. */
export interface LayerProfile {
  /** Where in the network: the scope of its nodes. */
  readonly name: string
  /** Shape of its last result. */
  readonly shape: readonly number[]
  /** Trained numbers. */
  readonly params: number
  /** Multiply-accumulates. */
  readonly macs: number
  /** Bytes of the results. */
  readonly activationBytes: number
}

/** Counts the live part of a graph, after the passes that an export runs. */
export function profile(graph: Graph): Profile {
  const simple = simplify(graph)
  const nodes = liveNodes(simple)
  const layers = layersOf(nodes)
  const sum = (count: (layer: LayerProfile) => number) => layers.reduce((all, layer) => all + count(layer), 0)
  return {
    params: sum(({ params }) => params),
    macs: sum(({ macs }) => macs),
    activationBytes: sum(({ activationBytes }) => activationBytes),
    receptiveField: receptiveField(nodes, simple.outputs.values()),
    ops: decodeBytes(toOnnx(simple, { feedParameters: true })).graph?.node.length ?? 0,
    layers,
  }
}

function layersOf(nodes: readonly Node[]): LayerProfile[] {
  const layers = new Map<string, { -readonly [K in keyof LayerProfile]: LayerProfile[K] }>()
  for (const node of nodes) {
    const info = parameterInfo(node)
    const cost = {
      params: info?.role === 'weight' ? sizeOf(info.shape) : 0,
      macs: macsOf(node),
      activationBytes: activationBytesOf(node),
    }
    const name = node.scope === '' ? '(top)' : node.scope
    const layer = layers.get(name) ?? { name, shape: [], params: 0, macs: 0, activationBytes: 0 }
    layers.set(name, layer)
    layer.params += cost.params
    layer.macs += cost.macs
    layer.activationBytes += cost.activationBytes
    if (cost.activationBytes > 0) layer.shape = node.outputs[0]!.shape
  }
  return [...layers.values()].filter((layer) => layer.params + layer.activationBytes > 0)
}

/** The counts of a network of the zoo, and what is special about it. */
export interface NetProfile extends Profile {
  /** Name of the network. */
  readonly net: string
  /** Parameters of the published network that no output depends on; `params` counts them, as the papers do. */
  readonly unusedParams: number
  /** Stride of the coarsest map. */
  readonly outputStride: number
  /** Whether anything goes from the encoder over to the decoder. */
  readonly skips: boolean
  /** What goes over. */
  readonly skipKind: Net['skips']
  /** What was asked for: dilations beyond the map are clipped, or stay as published. */
  readonly dilations: Dilations
  /** The dilations that were clipped at this size. */
  readonly clipped: readonly Clipping[]
  /** Built from a paper alone, with inferred parts. */
  readonly reconstruction: boolean
}

/** The network that `profileNet` counts. */
export interface NetProfileOptions {
  /** Channels of the result. */
  readonly outputs: number
  /** Channels, height and width of one picture. */
  readonly input: readonly [number, number, number]
  /** Default: clipped. */
  readonly dilations?: Dilations
}

/**
 * Profiles a network of the zoo on one picture.
 *
 * @throws InputError for an unknown network, or a size that it does not take.
 */
export function profileNet(name: string, options: NetProfileOptions): NetProfile {
  const { outputs, input: shape, dilations = 'clipped' } = options
  const net = findNet(name)
  const { graph, clipped } = networkGraph(name, { outputs, dilations, shape: [1, ...shape] })
  const unused = (net.unused?.({ outputs }) ?? []).filter(({ alias }) => !alias)
  const unusedParams = unused.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  const counted = profile(graph)
  return {
    net: net.name,
    ...counted,
    params: counted.params + unusedParams,
    unusedParams,
    outputStride: net.outputStride(),
    ...traits(net, dilations),
    clipped,
  }
}

const traits = (net: Net, dilations: Dilations) => ({
  skips: net.skips !== 'none',
  skipKind: net.skips,
  dilations,
  reconstruction: net.reconstruction === true,
})

/** The detector that `profileDetector` counts. */
export type DetectorProfileOptions = Omit<SmallConfigOptions, 'net'>

/** The counts of a whole keypoint detector. */
export interface DetectorProfile extends NetProfile {
  /** The head that stands on the network. */
  readonly head: Head['kind']
  /** How maps of the encoder join on the way to the head, beside the network's own skips. */
  readonly skip: SkipChoice
}

/**
 * Profiles the keypoint detector that `train` makes on a network: backbone, upsampling and head.
 *
 * @throws InputError as `profileNet`.
 */
export function profileDetector(name: string, options: DetectorProfileOptions = {}): DetectorProfile {
  return profileModelDetector(smallConfig({ net: name, ...options }))
}

/** Profiles the keypoint detector of a motion model, such as that of a run. */
export function profileModelDetector(config: MotionConfig): DetectorProfile {
  const net = findNet(config.net)
  const { dilations, head } = config.detector
  const graph = new Graph()
  const frame = input(graph, 'frame', 'float32', [1, 3, config.size, config.size])
  const scope = Scope.root(graph, { training: false })
  const { value, jacobian } = detect(scope, frame, config).keypoints
  graph.output('value', value)
  if (jacobian !== undefined) graph.output('jacobian', jacobian)
  return {
    net: net.name,
    ...profile(graph),
    unusedParams: 0,
    outputStride: net.outputStride(ownOptions(net, config.detector)),
    ...traits(net, dilations),
    clipped: scope.clippings,
    head: head.kind,
    skip: head.skip,
  }
}
