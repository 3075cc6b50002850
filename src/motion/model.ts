import { Graph, type Value } from '../graph/graph.ts'
import { input } from '../graph/ops/leaf.ts'
import { Scope } from '../layers/scope.ts'
import type { MotionConfig } from './config.ts'
import { type Detection, detectKeypoints } from './detector.ts'
import { type Generation, generate } from './generator.ts'
import type { Keypoints } from './keypoints.ts'

/**
 * The motion model as a whole: one detector, applied to every frame, and one generator. Parameters stand
 * under `kp_detector.` and `generator.`, as in the published checkpoints.
 */

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
 */
export function animateFrame(
  scope: Scope,
  source: Value,
  kpSource: Keypoints,
  kpDriving: Keypoints,
  { alignCorners, denseMotion, generator }: MotionConfig,
): Generation {
  const options = { ...generator, denseMotion: { ...denseMotion, alignCorners } }
  return scope.within('generator', (inner) => generate(inner, source, kpSource, kpDriving, options))
}

export interface GraphOptions {
  /** Pictures at a time (default 1). */
  readonly batch?: number
  /** Of the pictures in pixels (default: the model's size); its weights fit any that the networks take. */
  readonly height?: number
  readonly width?: number
  /** Add every intermediate result that has a name as an output (default false). */
  readonly details?: boolean
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
  if (details) name(graph, { heatmap, kpMap, jacobianMap, predictor, down })
  return graph
}

/**
 * Dense motion and generator alone, in evaluation mode: inputs `source` [N, 3, H, W] in [0, 1],
 * `valueSource`, `valueDriving` [N, K, 2] and, where the model has them, `jacobianSource`, `jacobianDriving`
 * [N, K, 2, 2]; output `prediction` [N, 3, H, W]. With `details` also `mask`, `deformation`,
 * `occlusionMap`, `deformed` and `sparseDeformed`.
 */
export function generatorGraph(
  config: MotionConfig,
  { batch = 1, height = config.size, width = config.size, details = false }: GraphOptions = {},
): Graph {
  const { keypoints: k } = config
  const graph = new Graph()
  const source = input(graph, 'source', 'float32', [batch, 3, height, width])
  const keypointsOf = (which: 'Source' | 'Driving'): Keypoints => ({
    value: input(graph, `value${which}`, 'float32', [batch, k, 2]),
    jacobian: config.jacobian ? input(graph, `jacobian${which}`, 'float32', [batch, k, 2, 2]) : undefined,
  })
  const scope = Scope.root(graph, { training: false })
  const { prediction, ...rest } = animateFrame(
    scope,
    source,
    keypointsOf('Source'),
    keypointsOf('Driving'),
    config,
  )
  name(graph, { prediction })
  const { mask, deformation, occlusionMap, deformed, sparseDeformed } = rest
  if (details) name(graph, { mask, deformation, occlusionMap, deformed, sparseDeformed })
  return graph
}

/** Makes outputs of the values that are there. */
function name(graph: Graph, outputs: Readonly<Record<string, Value | undefined>>): void {
  for (const [output, value] of Object.entries(outputs)) if (value !== undefined) graph.output(output, value)
}
