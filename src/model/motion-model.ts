// A trained motion model, opened: keypoints of a picture, and the picture moved to other keypoints. Runs on any runtime
// (Siarohin et al. 2019).

import type { Crop } from '../faces/box.ts'
import { Graph } from '../graph/graph.ts'
import { conv } from '../graph/ops/conv.ts'
import { constant, input, parametersOf } from '../graph/ops/leaf.ts'
import { relu } from '../graph/ops/unary.ts'
import { floats, formatShape, type Tensor } from '../graph/tensor.ts'
import type { FitMode } from '../media/fit.ts'
import type { MotionConfig } from '../motion/config.ts'
import { detectorGraph, splitGenerator } from '../motion/model.ts'
import { toOnnx } from '../onnx/export.ts'
import { inHalfPrecision } from '../onnx/half-graph.ts'
import { isPlanFor, withEightBits } from '../optimise/eight-bits.ts'
import { movedForward, type Weighted } from '../optimise/rewrite-with.ts'
import { ComputeError } from '../runtime/ort.ts'
import type { Device, OpenSession, Session, Tensors } from '../runtime/session.ts'
import { FormatError, InputError } from '../util/errors.ts'
import { fromPlanes, type Keypoints, toMatrices, toPlanes, toPoints } from './keypoint-detector.ts'
import { checkWeights, type EightBitPlans, type LoadedRun, type ModelPart } from './loaded-run.ts'

/** A source picture with the part of the generator's work that is the same for all frames: see `MotionModel.encode`. */
export interface EncodedPicture {
  /** Inputs of the generator, by name. */
  readonly tensors: Tensors
}

/** A trained motion model, ready to run on one picture at a time. Close it after use, or bind it by `await using`. */
export interface MotionModel extends AsyncDisposable {
  /** Absolute path of the run folder. */
  readonly path: string
  /** The networks, and the sizes that they were made for. */
  readonly config: MotionConfig
  /** How the training clips were made square. */
  readonly fit: FitMode
  /** How the square of a clip or picture is chosen: as the training clips' was, or `auto` if that was named in pixels. */
  readonly crop: Crop
  /** Whether the model can move pictures. A detector that was distilled from another detector cannot. */
  readonly hasGenerator: boolean
  /** The device that the model runs on. */
  readonly device: Device
  /** The opened networks that compute in eight bits. The generator is opened at its first use. */
  readonly eightBits: readonly ModelPart[]
  /** Whether the networks compute in half precision. */
  readonly halves: boolean
  /**
   * Finds the keypoints of a picture.
   *
   * @param frame RGB [size, size, 3], 0 to 255, where size is `config.size`.
   * @throws InputError if the picture has another size or the model is closed, FormatError if the weights give
   * numbers that are not finite.
   */
  detect(frame: Uint8Array): Promise<Keypoints>
  /**
   * Does the part of the generator's work that is the same for every frame.
   *
   * @param source RGB [size, size, 3], 0 to 255.
   * @throws InputError if the picture has another size, the run has no generator, or the model is closed.
   */
  encode(source: Uint8Array): Promise<EncodedPicture>
  /**
   * Moves the source picture to other keypoints.
   *
   * @param source RGB [size, size, 3], 0 to 255; or the encoded picture, which is faster for many frames.
   * @param kpSource keypoints of the source.
   * @param kpDriving keypoints to move the source to.
   * @returns RGB [size, size, 3], 0 to 255. The array belongs to the caller.
   * @throws InputError as `encode`, or if keypoints lack the jacobian that the model needs.
   */
  generate(
    source: Uint8Array | EncodedPicture,
    kpSource: Keypoints,
    kpDriving: Keypoints,
  ): Promise<Uint8Array>
  /** Frees the sessions. Further calls do nothing. */
  close(): Promise<void>
}

/** How `openSessionModel` opens the networks of a run. */
export interface SessionModelOptions {
  /** Opens a session on the runtime and the device of the model. */
  readonly openSession: OpenSession
  /** The file of the weights, for messages. */
  readonly where: string
  /** Rewrites each network before it is loaded (default: no rewriting). */
  readonly rewrite?: ((network: Weighted) => Promise<Weighted>) | undefined
  /** What computes in eight bits (default: nothing). Plans are for rewritten networks, and others are left as they are. */
  readonly eightBits?: EightBitPlans | undefined
  /** Computes in half precision if the device can, but for what `inHalfPrecision` keeps (default: no). */
  readonly halves?: boolean | undefined
}

/**
 * Opens a run that is in memory, on any runtime.
 *
 * @throws FormatError if the weights do not fit the model, and the errors of `openSession`.
 */
export async function openSessionModel(
  { path, config, fit, crop, weights }: LoadedRun,
  { openSession, where, rewrite, eightBits = {}, halves: asked = false }: SessionModelOptions,
): Promise<MotionModel> {
  const { source, frame } = splitGenerator(config)
  const detector = detectorGraph(config)
  const hasGenerator = Array.from(weights.keys()).some((name) => name.startsWith('generator.'))
  const needed = hasGenerator ? [detector, source, frame] : [detector]
  for (const graph of needed) checkWeights(weights, parametersOf(graph), where)
  const rounded = new Set<ModelPart>()
  const halves = asked && (await computesHalves(openSession))
  const rewritten = async (graph: Graph): Promise<Weighted> =>
    rewrite === undefined ? { graph, weights } : rewrite({ graph, weights })
  const open = (part: ModelPart, network: Weighted) => {
    const plan = eightBits[part]
    const isPlanned = plan !== undefined && isPlanFor(plan, network.graph)
    if (isPlanned) rounded.add(part)
    const { graph, weights } = isPlanned ? withEightBits(network, plan) : network
    // The networks run one after another. A thread pool that spins after its run would take the cores of the others.
    return halves && !isPlanned
      ? openSession(inHalfPrecision(toOnnx(graph, { weights })), { spin: false })
      : openSession(graph, { weights, spin: false })
  }
  // Tracking needs no generator, and its session may take a second to open.
  const openGenerator = async (): Promise<GeneratorSessions> => {
    if (!hasGenerator) throw noGenerator(path)
    const [ofSource, ofFrame] = [await rewritten(source), await rewritten(frame)]
    const { first, second } = movedForward(ofSource.graph, ofFrame.graph)
    const encoder = await open('source', { graph: first, weights: ofSource.weights })
    try {
      return { encoder, generator: await open('frame', { graph: second, weights: ofFrame.weights }) }
    } catch (error) {
      await encoder.close()
      throw error
    }
  }
  const facts = { path, config, fit, crop, hasGenerator, halves }
  return new SessionModel(facts, await open('detector', await rewritten(detector)), openGenerator, rounded)
}

/** Whether a device multiplies numbers of 16 bits. A GPU may lack the feature, and refuses such a network or gives wrong results. */
async function computesHalves(openSession: OpenSession): Promise<boolean> {
  const graph = new Graph()
  const x = input(graph, 'x', 'float32', [1, 1, 1, 2])
  const twice = constant(graph, floats([2], [1, 1, 1, 1]))
  // The second product is the head, which keeps 32 bits.
  graph.output('y', conv(relu(conv(x, twice, undefined)), twice, undefined))
  try {
    const session = await openSession(inHalfPrecision(toOnnx(graph)), { spin: false })
    try {
      const { y } = await session.run({ x: floats([-1, 0.5], [1, 1, 1, 2]) })
      return y!.data[0] === 0 && y!.data[1] === 2
    } finally {
      await session.close()
    }
  } catch (error) {
    if (error instanceof FormatError || error instanceof ComputeError) return false
    throw error
  }
}

/** The generator in two halves: what depends on the source alone, and what depends on the driving frame too. */
interface GeneratorSessions {
  readonly encoder: Session
  readonly generator: Session
}

class SessionModel implements MotionModel {
  readonly device: Device
  private sessions: Promise<GeneratorSessions> | undefined
  private closed = false

  readonly path: string
  readonly config: MotionConfig
  readonly fit: FitMode
  readonly crop: Crop
  readonly hasGenerator: boolean
  readonly halves: boolean

  constructor(
    {
      path,
      config,
      fit,
      crop,
      hasGenerator,
      halves,
    }: Pick<MotionModel, 'path' | 'config' | 'fit' | 'crop' | 'hasGenerator' | 'halves'>,
    private readonly detector: Session,
    private readonly openGenerator: () => Promise<GeneratorSessions>,
    private readonly rounded: ReadonlySet<ModelPart>,
  ) {
    this.path = path
    this.config = config
    this.fit = fit
    this.crop = crop
    this.hasGenerator = hasGenerator
    this.halves = halves
    this.device = detector.device
  }

  get eightBits(): readonly ModelPart[] {
    return [...this.rounded]
  }

  async detect(frame: Uint8Array): Promise<Keypoints> {
    const { value, jacobian } = await this.detector.run({ frame: this.planes(frame) })
    const found = { value: numbers(value!), jacobian: jacobian && numbers(jacobian) }
    const finite = [found.value, found.jacobian].every((list) => list?.every(Number.isFinite) ?? true)
    if (finite) return found
    throw new FormatError({
      what: 'the model finds keypoints that are not finite: its training went wrong',
      where: this.path,
      remedy: 'train again, with a smaller learning rate',
    })
  }

  async encode(source: Uint8Array): Promise<EncodedPicture> {
    const picture = { source: this.planes(source) }
    const { encoder, generator } = await this.generatorSessions()
    const tensors = { ...picture, ...(await encoder.run(picture)) }
    // Some generators read the picture itself again, and some do not.
    return { tensors: pick(tensors, generator) }
  }

  async generate(
    source: Uint8Array | EncodedPicture,
    kpSource: Keypoints,
    kpDriving: Keypoints,
  ): Promise<Uint8Array> {
    const { tensors } = source instanceof Uint8Array ? await this.encode(source) : source
    const { generator } = await this.generatorSessions()
    const { prediction } = await generator.run({
      ...tensors,
      ...this.keypoints('Source', kpSource),
      ...this.keypoints('Driving', kpDriving),
    })
    return fromPlanes(numbers(prediction!), this.config.size)
  }

  async close(): Promise<void> {
    this.closed = true
    await this.detector.close()
    const opened = await this.sessions?.catch(() => undefined)
    await Promise.all([opened?.encoder.close(), opened?.generator.close()])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** The generator's sessions, opened at the first use. */
  private generatorSessions(): Promise<GeneratorSessions> {
    if (this.closed) throw new InputError({ what: 'the model is closed', remedy: 'open it again' })
    this.sessions ??= this.openGenerator()
    return this.sessions
  }

  private planes(pixels: Uint8Array): Tensor<'float32'> {
    const { size } = this.config
    if (pixels.length === size * size * 3) return toPlanes(pixels, size)
    throw new InputError({
      what: 'the picture is not of the size that the model takes',
      got: `${pixels.length} bytes`,
      expected: `${size * size * 3}: RGB ${formatShape([size, size, 3])}`,
      remedy: 'fit it with createFitter first',
    })
  }

  private keypoints(which: 'Source' | 'Driving', { value, jacobian }: Keypoints): Record<string, Tensor> {
    const points = { [`value${which}`]: toPoints(value) }
    if (!this.config.jacobian) return points
    if (jacobian !== undefined) return { ...points, [`jacobian${which}`]: toMatrices(jacobian) }
    throw new InputError({
      what: `kp${which} has no jacobian, and the model needs one`,
      expected: formatShape([this.config.keypoints, 2, 2]),
    })
  }
}

/** The tensors that are inputs of a session. */
function pick(tensors: Tensors, { inputs }: Session): Tensors {
  return Object.fromEntries(Object.entries(tensors).filter(([name]) => inputs.has(name)))
}

/** The data of an output that the model's graphs declare as float32. */
function numbers({ data }: Tensor): Float32Array {
  return data as Float32Array
}

/** The refusal of a run that is to make pictures, and holds a detector alone. */
export function noGenerator(path: string): InputError {
  return new InputError({
    what: 'the run holds a detector alone, and no generator to move pictures with',
    where: path,
    expected: 'a run of train, or one that was distilled from such a run',
    remedy: 'train a model that begins with it: pantin train VIDEO --init RUN --out OTHER',
  })
}
