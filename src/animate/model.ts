import { join } from 'node:path'
import type { Graph } from '../graph/graph.ts'
import { formatShape, type Tensor } from '../graph/tensor.ts'
import type { FitMode } from '../media/fit.ts'
import type { MotionConfig } from '../motion/config.ts'
import { detectorGraph, splitGenerator } from '../motion/model.ts'
import { parametersOf } from '../motion/weights.ts'
import { createSession } from '../runtime/node.ts'
import type { Device, Session, Tensors } from '../runtime/session.ts'
import { FormatError, InputError } from '../util/errors.ts'
import type { Keypoints } from './keypoints.ts'
import { checkWeights, loadRun } from './load.ts'
import { fromPlanes, toMatrices, toPlanes, toPoints } from './pixels.ts'

/** A run as callers name it: its folder, or what `train` returned. */
export type RunReference = string | { readonly path: string }

export interface ModelOptions {
  /** Default `auto`: a GPU where one works, else the CPU. */
  readonly device?: Device | 'auto'
  /**
   * Writes each network anew before it is loaded, so that it computes the same with less, such as
   * `rewriteExactly` (default: as it is).
   */
  rewrite?(network: Network): Promise<Network>
}

/** A graph and the contents of its parameters. */
export interface Network {
  readonly graph: Graph
  readonly weights: ReadonlyMap<string, Tensor>
}

/** A picture with what the generator makes of it for all frames alike; see `MotionModel.encode`. */
export interface EncodedPicture {
  readonly tensors: Tensors
}

/** A trained motion model, ready to run on one picture at a time. */
export interface MotionModel {
  /** The run's folder. */
  readonly path: string
  readonly config: MotionConfig
  /** How the clips that it was trained on were made square. */
  readonly fit: FitMode
  /** Whether it can move pictures: a detector that was distilled from another detector cannot. */
  readonly hasGenerator: boolean
  /** The device that is really used. */
  readonly device: Device
  /**
   * The keypoints of a picture.
   *
   * @param frame RGB [size, size, 3], 0 to 255, with `config.size` pixels a side.
   * @throws InputError for a picture of another size, FormatError where the weights give no finite points.
   */
  detect(frame: Uint8Array): Promise<Keypoints>
  /**
   * Does the part of the generator's work that is the same for every frame.
   *
   * @param source RGB [size, size, 3], 0 to 255.
   */
  encode(source: Uint8Array): Promise<EncodedPicture>
  /**
   * The source picture moved to other keypoints.
   *
   * @param source RGB [size, size, 3], 0 to 255; or encoded, which spares its encoding for each frame.
   * @param kpSource its keypoints.
   * @param kpDriving where they are to go.
   * @returns RGB [size, size, 3], 0 to 255, the caller's to keep.
   */
  generate(
    source: Uint8Array | EncodedPicture,
    kpSource: Keypoints,
    kpDriving: Keypoints,
  ): Promise<Uint8Array>
  /** Frees the sessions. More than one call does nothing more. */
  close(): Promise<void>
}

/**
 * Opens a run for animation and tracking.
 *
 * @throws InputError where there is no run, FormatError where its files do not fit each other,
 * EnvironmentError where the device is not there.
 */
export async function openModel(run: RunReference, options: ModelOptions = {}): Promise<MotionModel> {
  const { path, config, fit, weights } = await loadRun(typeof run === 'string' ? run : run.path)
  const { source, frame } = splitGenerator(config)
  const detector = detectorGraph(config)
  const where = join(path, 'weights.safetensors')
  const hasGenerator = Array.from(weights.keys()).some((name) => name.startsWith('generator.'))
  const needed = hasGenerator ? [detector, source, frame] : [detector]
  for (const graph of needed) checkWeights(weights, parametersOf(graph), where)
  // Tracking needs no generator, whose session may take a second to make.
  const openGenerator = async (): Promise<GeneratorSessions> => {
    if (!hasGenerator) throw noGenerator(path)
    const encoder = await openSession(source, weights, options)
    try {
      return { encoder, generator: await openSession(frame, weights, options) }
    } catch (error) {
      await encoder.close()
      throw error
    }
  }
  const session = await openSession(detector, weights, options)
  return new SessionModel({ path, config, fit, hasGenerator }, session, openGenerator)
}

interface GeneratorSessions {
  readonly encoder: Session
  readonly generator: Session
}

async function openSession(
  graph: Graph,
  weights: ReadonlyMap<string, Tensor>,
  { rewrite, device }: ModelOptions,
): Promise<Session> {
  const given: Network = { graph, weights }
  const network = rewrite === undefined ? given : await rewrite(given)
  // Networks run in turn: a pool that spins after its run would steal the others' cores.
  return createSession(network.graph, { weights: network.weights, spin: false, ...(device && { device }) })
}

/**
 * Calls `use` with a model: one that is open already, and stays open, or that of a run, closed at the end.
 *
 * @throws as `openModel`
 */
export async function withModel<T>(
  run: RunReference | MotionModel,
  options: ModelOptions,
  use: (model: MotionModel) => Promise<T>,
): Promise<T> {
  if (isModel(run)) return use(run)
  const model = await openModel(run, options)
  try {
    return await use(model)
  } finally {
    await model.close()
  }
}

export function isModel(run: RunReference | MotionModel): run is MotionModel {
  return typeof run === 'object' && 'detect' in run
}

class SessionModel implements MotionModel {
  readonly device: Device
  private sessions: Promise<GeneratorSessions> | undefined
  private closed = false

  readonly path: string
  readonly config: MotionConfig
  readonly fit: FitMode
  readonly hasGenerator: boolean

  constructor(
    { path, config, fit, hasGenerator }: Pick<MotionModel, 'path' | 'config' | 'fit' | 'hasGenerator'>,
    private readonly detector: Session,
    private readonly openGenerator: () => Promise<GeneratorSessions>,
  ) {
    this.path = path
    this.config = config
    this.fit = fit
    this.hasGenerator = hasGenerator
    this.device = detector.device
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
    // Not every generator looks at the picture itself again.
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

  /** Opened at their first use. */
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

/** What a session takes of all this. */
function pick(tensors: Tensors, { inputs }: Session): Tensors {
  return Object.fromEntries(Object.entries(tensors).filter(([name]) => inputs.has(name)))
}

/** The numbers of a tensor that the model's graphs give as float32. */
function numbers({ data }: Tensor): Float32Array {
  return data as Float32Array
}

function noGenerator(path: string): InputError {
  return new InputError({
    what: 'the run holds a detector alone, and no generator to move pictures with',
    where: path,
    expected: 'a run of train, or one that was distilled from such a run',
    remedy: 'train a model that begins with it: pantin train VIDEO --init RUN --out OTHER',
  })
}
