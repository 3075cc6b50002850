// The weights of the two networks that find faces, as assets/faces.safetensors holds them.
import { decodeSafetensors } from '../formats/safetensors/bytes.ts'
import { formatShape, sameShape, type Tensor } from '../graph/tensor.ts'
import { parametersOf } from '../motion/weights.ts'
import { FormatError } from '../util/errors.ts'
import { finderGraph, landmarkGraph } from './networks.ts'

/** Name of the file in pantin's `assets` folder. */
export const faceAsset = 'faces.safetensors'

/**
 * Reads the weights.
 *
 * @param where the file, for messages
 * @throws FormatError if the file is not one of these networks', or is damaged.
 */
export async function readFaceWeights(
  bytes: Uint8Array,
  where: string,
): Promise<ReadonlyMap<string, Tensor>> {
  const { tensors } = await decodeSafetensors(bytes, where)
  for (const { name, shape } of [...parametersOf(finderGraph(128)), ...parametersOf(landmarkGraph())]) {
    const found = tensors.get(name)
    if (found?.dtype === 'float32' && sameShape(found.shape, shape)) continue
    throw new FormatError({
      what: 'these are not the weights of the networks that find faces',
      where,
      got: found === undefined ? `no ${name}` : `${name}: ${found.dtype}${formatShape(found.shape)}`,
      expected: `${name}: float32${formatShape(shape)}`,
      remedy: 'install pantin again',
    })
  }
  return tensors
}
