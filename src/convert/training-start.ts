// What a training may start from: the weights of another folder, and a network design in a JSON file.
import { readWhole } from '../files/read.ts'
import { sameShape, type Tensor } from '../graph/tensor.ts'
import { loadRun } from '../model/load-run.ts'
import type { MotionConfig } from '../motion/config.ts'
import { detectorGraph, generatorGraph } from '../motion/model.ts'
import { parametersOf } from '../motion/weights.ts'
import { FormatError, InputError, messageOf } from '../util/errors.ts'
import { type Design, parseDesign } from '../zoo/design.ts'
import { folderKind, loadNetwork } from './network-folder.ts'

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
