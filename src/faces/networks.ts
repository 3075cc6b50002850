// The two networks that find faces: one says where faces are in a whole picture, one reads 66 landmarks in a square
// around a face. They are pantin's own, composed as ficelle is (`zoo/design.ts`), and learn from synthetic heads alone.
import { decodeSafetensors } from '../formats/safetensors/bytes.ts'
import { Graph, type Value } from '../graph/graph.ts'
import { input, reduceMean, reshape, sliceAxis } from '../graph/ops/index.ts'
import { parametersOf } from '../graph/ops/leaf.ts'
import { formatShape, sameShape, type Tensor } from '../graph/tensor.ts'
import { conv2d } from '../layers/conv2d.ts'
import { Scope } from '../layers/scope.ts'
import { softArgmax, spatialSoftmax } from '../motion/keypoints.ts'
import { landmarkCount } from '../synthetic/made-clips.ts'
import { FormatError } from '../util/errors.ts'
import type { Design } from '../zoo/design.ts'
import { designFeatures } from '../zoo/ficelle.ts'

/** Pixels between two places at which the finder looks for the middle of a face. */
export const finderStride = 8

/** Side of the square that landmarks are read in, in pixels. */
export const landmarkSize = 96

const finderDesign: Design = {
  stem: { kind: 'convolutions', widths: [16, 32] },
  stages: [
    { stride: 2, width: 32, block: 'inverted-residual', depth: 2, dilations: [] },
    { stride: 2, width: 48, block: 'inverted-residual', depth: 2, dilations: [] },
    { stride: 2, width: 64, block: 'inverted-residual', depth: 2, dilations: [] },
  ],
  decoder: { widths: [48, 32], depth: 1, upsampling: 'nearest', skips: 'sum' },
}

const landmarkDesign: Design = {
  stem: { kind: 'convolutions', widths: [16, 32] },
  stages: [
    { stride: 1, width: 32, block: 'inverted-residual', depth: 1, dilations: [] },
    { stride: 2, width: 64, block: 'inverted-residual', depth: 2, dilations: [] },
    { stride: 2, width: 80, block: 'inverted-residual', depth: 2, dilations: [] },
  ],
  decoder: { widths: [48, 32], depth: 1, upsampling: 'nearest', skips: 'sum' },
}

/** What the finder says at each place, h = H / 8 and w = W / 8. */
export interface FinderMaps {
  /** [N, 1, h, w]: the logit of a face's middle being here. */
  readonly presence: Value
  /** [N, 3, h, w]: from the place's centre to the middle of the face (x, y) in places, and the logarithm of the side in places. */
  readonly box: Value
}

/** @param x [N, 3, H, W] in [0, 1], H and W multiples of 32 */
export function finderMaps(scope: Scope, x: Value): FinderMaps {
  const { deep } = designFeatures('finder', scope, x, finderDesign, 'none')
  const maps = scope.within('head', (inner) => conv2d(inner, deep.value, 4, { kernel: 1 }))
  return { presence: sliceAxis(maps, 1, 0, 1), box: sliceAxis(maps, 1, 1, 4) }
}

export interface LandmarkResult {
  /** [N, 66, 2] as x, y in [-1, 1] of the square: -1 and 1 are the centres of the first and last pixel. */
  readonly landmarks: Value
  /** [N, 1]: the logit of a face being in the square. */
  readonly presence: Value
}

/** @param x [N, 3, 96, 96] in [0, 1] */
export function landmarkMaps(scope: Scope, x: Value): LandmarkResult {
  const { deep } = designFeatures('landmarks', scope, x, landmarkDesign, 'none')
  const maps = scope.within('head', (inner) => conv2d(inner, deep.value, landmarkCount + 1, { kernel: 1 }))
  const heatmap = spatialSoftmax(sliceAxis(maps, 1, 0, landmarkCount), 1)
  const [n] = x.shape as [number]
  const presence = reduceMean(sliceAxis(maps, 1, landmarkCount, landmarkCount + 1), [1, 2, 3])
  return { landmarks: softArgmax(heatmap), presence: reshape(presence, [n, 1]) }
}

/** The finder for one picture: input `picture` [1, 3, size, size], outputs `presence` and `box`. */
export function finderGraph(size: number): Graph {
  const graph = new Graph()
  const picture = input(graph, 'picture', 'float32', [1, 3, size, size])
  const { presence, box } = finderMaps(finderScope(graph), picture)
  graph.output('presence', presence)
  graph.output('box', box)
  return graph
}

/** The landmarks of one square: input `square` [1, 3, 96, 96], outputs `landmarks` and `presence`. */
export function landmarkGraph(): Graph {
  const graph = new Graph()
  const square = input(graph, 'square', 'float32', [1, 3, landmarkSize, landmarkSize])
  const { landmarks, presence } = landmarkMaps(landmarkScope(graph), square)
  graph.output('landmarks', landmarks)
  graph.output('presence', presence)
  return graph
}

const evaluation = { training: false } as const
const finderScope = (graph: Graph) => Scope.root(graph, evaluation).child('finder')
const landmarkScope = (graph: Graph) => Scope.root(graph, evaluation).child('landmarks')

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
