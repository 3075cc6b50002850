import { join } from 'node:path'
import { z } from 'zod'
import type { ParameterInfo } from '../graph/ops/leaf.ts'
import type { Tensor } from '../graph/tensor.ts'
import { checkWeights } from '../model/load-run.ts'
import { detectorOptions } from '../motion/options.ts'
import { parametersOf } from '../motion/weights.ts'
import { openRun } from '../run/run.ts'
import { schemaOf } from '../util/option-schema.ts'
import { networkGraph } from '../zoo/network-graph.ts'
import { findNet, type NetName, netNames } from '../zoo/registry.ts'

/** A plain network on disk: a run folder whose config.json names a network in place of a motion model. */

export const networkSchema = z.strictObject({
  /** A name of the zoo. */
  net: z.enum(netNames),
  /** Channels of the result. */
  outputs: z.int().positive(),
  /** What becomes of dilations that are larger than the map; weights are made for one of the two. */
  dilations: schemaOf(detectorOptions.dilations),
})

export type NetworkConfig = z.infer<typeof networkSchema>

export interface LoadedNetwork {
  /** The folder, absolute. */
  readonly path: string
  readonly config: NetworkConfig
  readonly weights: ReadonlyMap<string, Tensor>
}

/** @throws InputError where there is no such folder, FormatError where its files do not fit each other. */
export async function loadNetwork(path: string): Promise<LoadedNetwork> {
  const run = await openRun(path, z.looseObject({ network: networkSchema }))
  const { tensors } = await run.loadWeights()
  const { network } = run.config
  checkWeights(tensors, parametersOfNetwork(network), join(run.path, 'weights.safetensors'))
  return { path: run.path, config: network, weights: tensors }
}

/** Parameters that a network's weights are for. */
export const parametersOfNetwork = ({ net, outputs, dilations }: NetworkConfig): ParameterInfo[] =>
  parametersOf(networkGraph(net, { outputs, dilations }).graph)

export const networkConfig = (
  net: string,
  outputs: number,
  dilations: NetworkConfig['dilations'],
): NetworkConfig => ({ net: findNet(net).name as NetName, outputs, dilations })
