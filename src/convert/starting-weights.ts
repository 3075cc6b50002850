import { sameShape, type Tensor } from '../graph/tensor.ts'
import { loadRun } from '../model/load-run.ts'
import type { MotionConfig } from '../motion/config.ts'
import { detectorGraph, generatorGraph } from '../motion/model.ts'
import { parametersOf } from '../motion/weights.ts'
import { InputError } from '../util/errors.ts'
import { folderKind } from './folder-kind.ts'
import { loadNetwork } from './network-folder.ts'

/**
 * The weights of a folder that a motion model has a place of their shape for, by the model's names. A plain
 * network is the backbone of the model's detector.
 *
 * @throws InputError, FormatError where the folder cannot be read, or none of its weights fits.
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
