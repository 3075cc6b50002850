// A plain network on disk: a run folder whose config.json names a network instead of a motion model.
import { join } from 'node:path'
import { z } from 'zod'
import type { ParameterInfo } from '../graph/ops/leaf.ts'
import type { Tensor } from '../graph/tensor.ts'
import { checkWeights } from '../model/load-run.ts'
import { detectorOptions } from '../motion/options.ts'
import { parametersOf } from '../motion/weights.ts'
import { openRun } from '../run/run.ts'
import { weightsFile } from '../run/run-files.ts'
import { InputError } from '../util/errors.ts'
import { schemaOf } from '../util/option-schema.ts'
import { networkGraph } from '../zoo/network-graph.ts'
import { findNet } from '../zoo/registry.ts'

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
