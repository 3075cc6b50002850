// The motion model as a whole: one detector, applied to every frame, and one generator; and the graphs of both.
// Parameters stand under `kp_detector.` and `generator.`, as in the published checkpoints.
import { Graph, type Value } from '../graph/graph.ts'
import { div } from '../graph/ops/arithmetic.ts'
import { cast } from '../graph/ops/compare.ts'
import { input, inputInfo } from '../graph/ops/leaf.ts'
import { transpose } from '../graph/ops/shape.ts'
import { rewrite } from '../graph/rewrite.ts'
import { Scope } from '../layers/scope.ts'
import type { MotionConfig } from './config.ts'
import { type Detection, detectKeypoints } from './detector.ts'
import {
  type EncodedSource,
  encodeSource,
  type Generation,
  type GeneratorOptions,
  generate,
  type Painting,
} from './generator.ts'
import type { Keypoints } from './keypoints.ts'

/**
 * The detector, in the model's scope: for training graphs, which call it several times.
 *
 * @param frame [N, 3, H, W] in [0, 1]
 */
export function detect(scope: Scope, frame: Value, config: MotionConfig): Detection {
  const { net, keypoints, jacobian, detector } = config
  return scope.within('kp_detector', (inner) =>
    detectKeypoints(inner, frame, { net, keypoints, jacobian, ...detector }),
  )
}

/**
 * Dense motion and generator, in the model's scope.
 *
 * @param source [N, 3, H, W] in [0, 1]
 * @param painting what is painted, if it is not the whole frame at its own size
 */
export function animateFrame(
  scope: Scope,
  source: Value,
  kpSource: Keypoints,
  kpDriving: Keypoints,
  config: MotionConfig,
  painting?: Painting,
): Generation {
  return drive(scope, encode(scope, source, config, painting), kpSource, kpDriving, config, painting)
}

/** The part of `animateFrame` that sees the source only. */
function encode(scope: Scope, source: Value, config: MotionConfig, painting?: Painting): EncodedSource {
  return scope.within('generator', (inner) => encodeSource(inner, source, generatorOptions(config), painting))
}

/** The part of `animateFrame` that sees keypoints too. */
function drive(
  scope: Scope,
  source: EncodedSource,
  kpSource: Keypoints,
  kpDriving: Keypoints,
  config: MotionConfig,
  painting?: Painting,
): Generation {
  const options = generatorOptions(config)
  return scope.within('generator', (inner) => generate(inner, source, kpSource, kpDriving, options, painting))
}

const generatorOptions = ({ alignCorners, denseMotion, generator }: MotionConfig): GeneratorOptions => ({
  ...generator,
  denseMotion: { ...denseMotion, alignCorners },
})

/** How `detectorGraph` and `generatorGraph` build a graph. */
export interface GraphOptions {
  /** Pictures at a time (default 1). */
  readonly batch?: number
  /** Of the pictures in pixels (default: the model's size); its weights fit any that the networks take. */
  readonly height?: number
  /** Width of the frames, if it is not the size of the model. */
  readonly width?: number
  /** Add every intermediate result that has a name as an output, or those named (default: none). */
  readonly details?: boolean | readonly string[]
}

/**
 * The detector alone, in evaluation mode: input `frame` [N, 3, H, W] in [0, 1]; outputs `value`
 * [N, K, 2] and, where the model has them, `jacobian` [N, K, 2, 2]. With `details` also `heatmap`, `kpMap`,
 * `jacobianMap`, `predictor` and `down`.
 */
export function detectorGraph(
  config: MotionConfig,
  { batch = 1, height = config.size, width = config.size, details = false }: GraphOptions = {},
): Graph {
  const graph = new Graph()
  const frame = input(graph, 'frame', 'float32', [batch, 3, height, width])
  const found = detect(Scope.root(graph, { training: false }), frame, config)
  name(graph, { value: found.keypoints.value, jacobian: found.jacobian })
  const { heatmap, kpMap, jacobianMap, predictor, down } = found
  name(graph, wanted({ heatmap, kpMap, jacobianMap, predictor, down }, details))
  return graph
}

/**
 * Dense motion and generator alone, in evaluation mode: inputs `source` [N, 3, H, W] in [0, 1],
 * `valueSource`, `valueDriving` [N, K, 2] and, where the model has them, `jacobianSource`, `jacobianDriving`
 * [N, K, 2, 2]; output `prediction` [N, 3, H, W]. With `details` also `mask`, `deformation`,
 * `occlusionMap`, `deformed`, `sparseDeformed` and `features`.
 */
export function generatorGraph(
  config: MotionConfig,
  { batch = 1, height = config.size, width = config.size, details = false }: GraphOptions = {},
): Graph {
  const graph = new Graph()
  const source = input(graph, 'source', 'float32', [batch, 3, height, width])
  const scope = Scope.root(graph, { training: false })
  const { prediction, ...rest } = animateFrame(scope, source, ...keypointInputs(graph, batch, config), config)
  name(graph, { prediction })
  const { mask, deformation, occlusionMap, deformed, sparseDeformed, features } = rest
  name(graph, wanted({ mask, deformation, occlusionMap, deformed, sparseDeformed, features }, details))
  return graph
}

/**
 * `generatorGraph` in two, so that a source is encoded once and not with every frame.
 *
 * `source`: input `source` [1, 3, size, size] in [0, 1]; outputs what else `frame` needs of it: `small`,
 * `curvature` and `map.i`. `frame`: inputs `source` (unless `skips` is none), those, and the keypoints as `generatorGraph` has
 * them; output `prediction`.
 */
export function splitGenerator(config: MotionConfig): { readonly source: Graph; readonly frame: Graph } {
  const graph = new Graph()
  const picture = input(graph, 'source', 'float32', [1, 3, config.size, config.size])
  const encoded = encode(Scope.root(graph, { training: false }), picture, config)
  const scaled = encoded.small !== picture
  name(graph, {
    small: scaled ? encoded.small : undefined,
    curvature: encoded.curvature,
    ...Object.fromEntries(Array.from(encoded.maps, ([scale, map]) => [`map.${scale}`, map])),
  })

  const frame = new Graph()
  const again = (port: string, { shape }: Value) => input(frame, port, 'float32', shape)
  const source = again('source', picture)
  const given: EncodedSource = {
    picture: source,
    small: scaled ? again('small', encoded.small) : source,
    curvature: encoded.curvature && again('curvature', encoded.curvature),
    maps: new Map(Array.from(encoded.maps, ([scale, map]) => [scale, again(`map.${scale}`, map)])),
  }
  const scope = Scope.root(frame, { training: false })
  name(frame, { prediction: drive(scope, given, ...keypointInputs(frame, 1, config), config).prediction })
  return { source: graph, frame }
}

/** The inputs for the keypoints of source and driving frame. */
function keypointInputs(
  graph: Graph,
  batch: number,
  { keypoints: k, jacobian }: MotionConfig,
): [Keypoints, Keypoints] {
  const keypointsOf = (which: 'Source' | 'Driving'): Keypoints => ({
    value: input(graph, `value${which}`, 'float32', [batch, k, 2]),
    jacobian: jacobian ? input(graph, `jacobian${which}`, 'float32', [batch, k, 2, 2]) : undefined,
  })
  return [keypointsOf('Source'), keypointsOf('Driving')]
}

/** The intermediate results that are asked for. */
function wanted<T>(all: Readonly<Record<string, T>>, details: boolean | readonly string[]) {
  const asked = (output: string) => (typeof details === 'boolean' ? details : details.includes(output))
  return Object.fromEntries(Object.entries(all).filter(([output]) => asked(output)))
}

/** Makes outputs of the values that are not undefined. */
function name(graph: Graph, outputs: Readonly<Record<string, Value | undefined>>): void {
  for (const [output, value] of Object.entries(outputs)) if (value !== undefined) graph.output(output, value)
}

/**
 * A graph that takes its pictures as decoders and canvases hold them: inputs of three channels and float32,
 * [N, 3, H, W] in [0, 1], become uint8 [N, H, W, 3], red first. A quarter of the bytes are handed over, and
 * no caller has to rearrange them.
 */
export function withByteFrames(graph: Graph): Graph {
  return rewrite(graph, (node, _inputs, target) => {
    const info = inputInfo(node)
    const [n, channels, height, width] = info?.shape ?? []
    if (info?.dtype !== 'float32' || info.shape.length !== 4 || channels !== 3) return undefined
    return target.within(node.scope, () => {
      const bytes = input(target, info.name, 'uint8', [n!, height!, width!, 3])
      return [div(cast(transpose(bytes, [0, 3, 1, 2]), 'float32'), 255)]
    })
  })
}
