// The networks by name: the zoo's, and networks that users register; and a plain network as a graph.

import { Graph } from '../graph/graph.ts'
import { input } from '../graph/ops/leaf.ts'
import type { Shape } from '../graph/tensor.ts'
import { type Clipping, type Dilations, Scope } from '../layers/scope.ts'
import { InputError, nearest } from '../util/errors.ts'
import { edanet, edanetErfdec } from './edanet.ts'
import { enet, enetOriginal } from './enet.ts'
import { erfnet } from './erfnet.ts'
import { esnet } from './esnet.ts'
import { fcn } from './fcn.ts'
import { ficelle } from './ficelle.ts'
import { hourglass, hourglassSmall } from './hourglass.ts'
import { laednetL, laednetM, laednetS } from './laednet.ts'
import { lednet, lednetFigure, lednetOfficial } from './lednet.ts'
import { lrdnet } from './lrdnet.ts'
import type { Net } from './net.ts'
import { resnet18, resnet50 } from './resnet.ts'

const networks = {
  hourglass,
  'hourglass-small': hourglassSmall,
  lednet,
  'lednet-official': lednetOfficial,
  'lednet-figure': lednetFigure,
  esnet,
  edanet,
  'edanet-erfdec': edanetErfdec,
  enet,
  'enet-original': enetOriginal,
  erfnet,
  fcn,
  resnet18,
  resnet50,
  lrdnet,
  'laednet-s': laednetS,
  'laednet-m': laednetM,
  'laednet-l': laednetL,
  ficelle,
} as const satisfies {
  readonly [name: string]: Net
}

/** The name of a network of the zoo. */
export type NetName = keyof typeof networks

/** Every network of the zoo, by name. A network is added by its own file and a line above. */
export const zoo: Readonly<Record<NetName, Net>> = networks

/** The network of a detector if none is named: pantin's own. docs/results.md says why. */
export const defaultNet: NetName = 'ficelle'

/** The names of the zoo's networks, in its order. Networks of one's own are not among them; see `listNets`. */
export const netNames = Object.keys(zoo) as [NetName, ...NetName[]]

/** All networks that can be named: the zoo's, and registered ones. */
const nets = new Map<string, Net>(Object.entries(zoo))
/** The files that registered networks are from, by the networks' names. */
const plugins = new Map<string, string>()

/**
 * Makes a network of one's own known by its name, for every function and command that takes a network's name.
 * Registering the same network again changes nothing.
 *
 * @throws InputError for an object that is no network, or a name that another network has.
 */
export function registerNet(net: Net): void {
  const problem = problemOf(net)
  if (problem !== undefined) {
    throw new InputError({
      what: 'this is not a network',
      where: typeof net?.name === 'string' ? net.name : 'registerNet',
      got: problem,
      expected: 'an object of the type Net',
    })
  }
  if (nets.has(net.name) && nets.get(net.name) !== net) {
    throw new InputError({
      what: `there is another network of the name "${net.name}"`,
      remedy: 'give this one another name',
    })
  }
  nets.set(net.name, net)
}

/** What keeps an object, of which nothing is known, from being a network. */
function problemOf(net: Partial<Record<keyof Net, unknown>> | undefined): string | undefined {
  if (typeof net !== 'object' || net === null) return `a value of type ${typeof net}`
  if (typeof net.name !== 'string' || !/^[a-z\d]+(-[a-z\d]+)*$/.test(net.name)) {
    return 'a name that is not made of lower case letters, digits and single hyphens'
  }
  const parts = {
    function: ['build', 'features', 'outputStride', 'multiple'],
    object: ['paper'],
    string: ['title', 'skips'],
    number: ['year'],
  } as const
  for (const [type, names] of Object.entries(parts)) {
    const missing = names.find((name) => typeof net[name] !== type)
    if (missing !== undefined) return `no ${missing}, or one that is not a ${type}`
  }
  return undefined
}

/** The name of a network that is named, or given itself: then it is registered. @throws InputError */
export function nameOfNet(net: string | Net): string {
  if (typeof net !== 'string') registerNet(net)
  return findNet(typeof net === 'string' ? net : net.name).name
}

/** The names of all networks that are known: the zoo's in its order, then the registered ones. */
export const listNets = (): string[] => [...nets.keys()]

/** Notes from which file a registered network is. */
export const notePlugin = (net: string, file: string): void => {
  plugins.set(net, file)
}

/** The file that a network is from, if it was loaded from one. */
export const pluginOf = (net: string): string | undefined => plugins.get(net)

/** Whether a network is one of the zoo's. */
export const isOfZoo = (name: string): boolean => Object.hasOwn(zoo, name)

/** Whether there is a network of that name. */
export const isNet = (name: string): boolean => nets.has(name)

/** @throws InputError, with the nearest name, if there is no such network. */
export function findNet(name: string): Net {
  const net = nets.get(name)
  if (net !== undefined) return net
  const guess = nearest(name, nets.keys())
  throw new InputError({
    what: `there is no network "${name}"`,
    expected: listNets().join(', '),
    remedy: guess === undefined ? unknownNetRemedy() : `did you mean "${guess}"?`,
  })
}

/** What to do about a network that is not known here. @param plugin the file that it is from, if that is known */
export const unknownNetRemedy = (plugin?: string): string => {
  // Runs record the name without its folder, which may be another one on each machine.
  const file = plugin === undefined ? 'FILE.mjs' : `${plugin} (with its folder before the name)`
  return `if it is a network of your own, load it first: --plugin ${file}, or registerNet in code`
}

/** What `networkGraph` builds. */
export interface NetworkGraphOptions {
  /** Channels of the result. */
  readonly outputs: number
  /** Of the pictures, [N, 3, H, W]; default: one of 64x64, or as large as the network's stride asks for. */
  readonly shape?: Shape
  /** Default: clipped. */
  readonly dilations?: Dilations
}

/**
 * A plain network of the zoo in evaluation mode: input `image` [N, C, H, W], output `output`
 * [N, outputs, H, W].
 *
 * @returns the graph, and the dilations that were clipped at this size
 * @throws InputError for an unknown network, or a size that it does not take.
 */
export function networkGraph(
  name: string,
  { outputs, shape, dilations = 'clipped' }: NetworkGraphOptions,
): {
  /** The network. */
  graph: Graph
  /** The dilations that were clipped. */
  clipped: readonly Clipping[]
} {
  const net = findNet(name)
  const graph = new Graph()
  const side = Math.max(64, net.multiple())
  const image = input(graph, 'image', 'float32', shape ?? [1, 3, side, side])
  const scope = Scope.root(graph, { training: false, dilations })
  graph.output('output', net.build(scope, image, { outputs }))
  return { graph, clipped: scope.clippings }
}
