// Opens a keypoint detector in Node: the detector of a run, or an ONNX file of any maker.
import { join } from 'node:path'
import { fileError } from '../files/file-errors.ts'
import { parametersOf } from '../graph/ops/leaf.ts'
import { tensor } from '../graph/tensor.ts'
import { detectorGraph } from '../motion/model.ts'
import { type EightBitPlan, isPlanFor, withEightBits } from '../optimise/eight-bits.ts'
import type { Weighted } from '../optimise/rewrite-with.ts'
import { bestDevice } from '../runtime/devices.ts'
import { createSession } from '../runtime/node.ts'
import { type Device, describePort, type PortType, type Session } from '../runtime/session.ts'
import { FormatError } from '../util/errors.ts'
import { type KeypointDetector, type OutputNames, SessionDetector, toPlanes } from './keypoint-detector.ts'
import { assertSelfContained, readOnnxFile } from './onnx-file.ts'
import { checkWeights, loadRun, plansForHere, rewriteExactly } from './open-model.ts'

export type { Detections, KeypointDetector } from './keypoint-detector.ts'

/** How a detector is opened. */
export interface OpenDetectorOptions {
  /** Default `auto`: a GPU if one works, otherwise the CPU. */
  readonly device?: Device | 'auto'
  /** Gives heatmaps and features too, if the detector has them (default false). */
  readonly details?: boolean
  /** Stops the opening, which then fails with the signal's reason. */
  readonly signal?: AbortSignal
}

/**
 * Opens the detector of a run, or an ONNX file.
 *
 * An ONNX file has one input, a square picture: float32 [N, 3, S, S] in [0, 1], or uint8 [N, S, S, 3]. Its outputs are
 * found by name, and otherwise by shape: `value` [N, K, 2] in [-1, 1]; `jacobian` [N, K, 2, 2]; `heatmap`
 * [N, K, h, w], each of sum 1; `features` [N, F, h, w]. Its weights may lie in a file beside it.
 *
 * @param path a run folder, the name of a starter, or a file `.onnx`.
 * @throws InputError if the path is neither, FormatError if a file cannot be used, EnvironmentError if the device is
 * not available. The signal's reason, if it is aborted.
 */
export async function openDetector(
  path: string,
  options: OpenDetectorOptions = {},
): Promise<KeypointDetector> {
  const { signal } = options
  signal?.throwIfAborted()
  const open = path.toLowerCase().endsWith('.onnx') ? openOnnxDetector : openRunDetector
  const detector = await open(path, options)
  if (signal?.aborted !== true) return detector
  await detector.close()
  throw signal.reason
}

async function openRunDetector(
  folder: string,
  { device: asked = 'auto', details = false, signal }: OpenDetectorOptions,
): Promise<KeypointDetector> {
  const loaded = await loadRun(folder, { signal })
  const { path, config, weights } = loaded
  const graph = detectorGraph(config, { details })
  checkWeights(weights, parametersOf(graph), join(path, 'weights.safetensors'))
  const device = asked === 'auto' ? await bestDevice() : asked
  // Heatmaps and features are read inside of the network, where it is written as it was trained.
  const plan = details || device !== 'cpu' ? undefined : (await plansForHere(loaded))?.detector
  const network = await inEightBits({ graph, weights }, plan)
  const session = await createSession(network.graph, { device, weights: network.weights })
  return new SessionDetector(session, {
    path,
    size: config.size,
    names: { value: 'value', jacobian: 'jacobian', heatmap: 'heatmap', features: 'predictor' },
    feed: (picture) => ({ frame: toPlanes(picture, config.size) }),
  })
}

async function inEightBits(network: Weighted, plan: EightBitPlan | undefined): Promise<Weighted> {
  if (plan === undefined) return network
  const rewritten = await rewriteExactly(network)
  return isPlanFor(plan, rewritten.graph) ? withEightBits(rewritten, plan) : network
}

async function openOnnxDetector(
  path: string,
  { device = 'auto', details = false }: OpenDetectorOptions,
): Promise<KeypointDetector> {
  const bytes = await readModel(path)
  const session = await createSession(bytes, { device })
  try {
    const { name, layout, size } = inputOf(session, path)
    const { heatmap, features, ...names } = outputsOf(session, path)
    return new SessionDetector(session, {
      ...{ path, size },
      names: details ? { ...names, heatmap, features } : names,
      feed: (picture) => ({
        [name]:
          layout === 'planes'
            ? toPlanes(picture, size)
            : tensor('uint8', [1, size, size, 3], picture.slice()),
      }),
    })
  } catch (error) {
    await session.close()
    throw error
  }
}

async function readModel(path: string): Promise<Uint8Array> {
  const bytes = await readOnnxFile(path)
  try {
    assertSelfContained(bytes)
    return bytes
  } catch (error) {
    throw fileError(error, path, 'read')
  }
}

/** Name, layout and size of the picture that a model takes. */
function inputOf({ inputs }: Session, where: string) {
  const [entry, ...others] = inputs
  const port = entry?.[1]
  const layout = port && layoutOf(port)
  const [height, width] = (layout === 'planes' ? port?.shape.slice(2) : port?.shape.slice(1)) ?? []
  if (entry !== undefined && others.length === 0 && layout !== undefined && height === width) {
    if (typeof height === 'number') return { name: entry[0], layout, size: height }
  }
  throw new FormatError({
    what: 'the model does not take one square picture',
    where,
    got: Array.from(inputs, ([name, type]) => `${name} ${describePort(type)}`).join(', ') || 'no input',
    expected: 'one input float32 [N, 3, S, S] or uint8 [N, S, S, 3], with S a number',
    remedy: 'export it with a fixed size',
  })
}

function layoutOf({ dtype, shape }: PortType): 'planes' | 'pixels' | undefined {
  const one = shape.length === 4 && (typeof shape[0] === 'string' || shape[0] === 1)
  if (one && dtype === 'float32' && shape[1] === 3) return 'planes'
  return one && dtype === 'uint8' && shape[3] === 3 ? 'pixels' : undefined
}

function outputsOf({ outputs }: Session, where: string): OutputNames {
  const named = (...names: string[]) => names.find((name) => outputs.has(name))
  const shaped = (fits: (shape: PortType['shape']) => boolean) => {
    const found = Array.from(outputs).filter(([, { dtype, shape }]) => dtype === 'float32' && fits(shape))
    return found.length === 1 ? found[0]![0] : undefined
  }
  const value = named('value') ?? shaped((shape) => shape.length === 3 && shape[2] === 2)
  const jacobian =
    named('jacobian') ?? shaped((shape) => shape.length === 4 && shape[2] === 2 && shape[3] === 2)
  if (value !== undefined) {
    return { value, jacobian, heatmap: named('heatmap'), features: named('features', 'predictor') }
  }
  throw new FormatError({
    what: 'the model gives no keypoints',
    where,
    got: Array.from(outputs, ([name, type]) => `${name} ${describePort(type)}`).join(', '),
    expected: 'an output `value` float32 [N, K, 2], in [-1, 1]',
  })
}
