// A plain network on disk: a run folder whose config.json names a network instead of a motion model. Also what a
// training may start from: the weights of such a folder or of a run, and a network design in a JSON file.
import { join } from 'node:path'
import { z } from 'zod'
import { readWhole } from '../files/read.ts'
import { type ParameterInfo, parametersOf } from '../graph/ops/leaf.ts'
import { sameShape, type Tensor } from '../graph/tensor.ts'
import { checkWeights, loadRun } from '../model/open-model.ts'
import type { MotionConfig } from '../motion/config.ts'
import { detectorGraph, generatorGraph } from '../motion/model.ts'
import { detectorOptions } from '../motion/options.ts'
import { openRun } from '../run/run.ts'
import { weightsFile } from '../run/run-files.ts'
import { FormatError, InputError, messageOf } from '../util/errors.ts'
import { schemaOf } from '../util/option-schema.ts'
import { type Design, parseDesign } from '../zoo/design.ts'
import { findNet, networkGraph } from '../zoo/registry.ts'

/** The entry `network` of config.json. */
export const networkSchema = z.strictObject({
  /** A network of the zoo, or one that was registered. */
  net: z.string(),
  /** Channels of the result. */
  outputs: z.int().positive(),
  /** Whether dilations larger than the feature map are clipped. Weights are trained for one of the two. */
  dilations: schemaOf(detectorOptions.dilations),
})

/** Which network the weights of a folder are for. */
export type NetworkConfig = z.infer<typeof networkSchema>

/** A plain network with its weights. */
export interface LoadedNetwork {
  /** The folder, absolute. */
  readonly path: string
  readonly config: NetworkConfig
  readonly weights: ReadonlyMap<string, Tensor>
}

/** Loads a plain network. @throws InputError if there is no such folder, FormatError if its files do not fit. */
export async function loadNetwork(path: string): Promise<LoadedNetwork> {
  const run = await openRun(path, z.looseObject({ network: networkSchema }))
  const { tensors } = await run.loadWeights()
  const { network } = run.config
  checkWeights(tensors, parametersOfNetwork(network), join(run.path, weightsFile))
  return { path: run.path, config: network, weights: tensors }
}

/** The parameters of a network. */
export const parametersOfNetwork = ({ net, outputs, dilations }: NetworkConfig): ParameterInfo[] =>
  parametersOf(networkGraph(net, { outputs, dilations }).graph)

/** The configuration of a network of the zoo. */
export const networkConfig = (
  net: string,
  outputs: number,
  dilations: NetworkConfig['dilations'],
): NetworkConfig => ({ net: findNet(net).name, outputs, dilations })

/** What a folder holds: `train` and `distil` make motion models, `import` makes both kinds. */
export type FolderKind = 'network' | 'motion model'

/** What a folder holds. @throws InputError for a folder that holds neither. */
export async function folderKind(path: string): Promise<FolderKind> {
  const schema = z.looseObject({ network: z.unknown().optional(), model: z.unknown().optional() })
  const { config, path: where } = await openRun(path, schema)
  if (config.network !== undefined) return 'network'
  if (config.model !== undefined) return 'motion model'
  throw new InputError({
    what: 'its config.json names neither a network nor a model',
    where,
    expected: 'a folder that train, distil or import made',
  })
}

/**
 * The weights of a folder that fit a motion model by name and shape, by the names of the model. A plain network is
 * the backbone of the model's detector.
 *
 * @throws InputError or FormatError if the folder cannot be read, or if none of its weights fits.
 */
export async function startingWeights(
  folder: string,
  model: MotionConfig,
): Promise<ReadonlyMap<string, Tensor>> {
  const places = new Map(
    [detectorGraph(model), generatorGraph(model)]
      .flatMap((graph) => parametersOf(graph))
      .map(({ name, shape }) => [name, shape]),
  )
  const fitting = Array.from(await weightsOf(folder)).filter(([name, { shape }]) => {
    const place = places.get(name)
    return place !== undefined && sameShape(place, shape)
  })
  if (fitting.length > 0) return new Map(fitting)
  throw new InputError({
    what: 'none of its weights has a place in this model',
    where: folder,
    expected: `a model or network with ${model.net}`,
    remedy: 'name the network that the folder holds as --net',
  })
}

async function weightsOf(folder: string): Promise<ReadonlyMap<string, Tensor>> {
  if ((await folderKind(folder)) === 'motion model') return (await loadRun(folder)).weights
  const { weights } = await loadNetwork(folder)
  return new Map(Array.from(weights, ([name, value]) => [`kp_detector.predictor.${name}`, value]))
}

/** Far above the options of any network. */
const maxBytes = 1 << 20

/**
 * Reads a design from a JSON file, such as the best.json of a search.
 *
 * @throws InputError for a file that cannot be read, or a design that contradicts itself; FormatError for a
 * file that is not JSON.
 */
export async function readDesignFile(path: string): Promise<Design> {
  return parseDesign(await readOptionsFile(path))
}

/** Reads options of a network's own from a JSON file. @throws InputError for a file that cannot be read, FormatError. */
export async function readOptionsFile(path: string): Promise<unknown> {
  const text = String(await readWhole(path, 'options in JSON', maxBytes))
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new FormatError({
      what: 'the file is not valid JSON',
      where: path,
      got: messageOf(error).slice(0, 200),
      remedy: 'name the best.json of a search, or the design of a config.json',
    })
  }
}
