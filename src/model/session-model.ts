import type { Graph } from '../graph/graph.ts'
import { formatShape, type Tensor } from '../graph/tensor.ts'
import type { FitMode } from '../media/fit.ts'
import type { MotionConfig } from '../motion/config.ts'
import { detectorGraph, splitGenerator } from '../motion/model.ts'
import { parametersOf } from '../motion/weights.ts'
import type { OpenSession } from '../runtime/open-session.ts'
import type { Device, Session, Tensors } from '../runtime/session.ts'
import { FormatError, InputError } from '../util/errors.ts'
import type { Keypoints } from './keypoints.ts'
import type { EncodedPicture, MotionModel, Network } from './motion-model.ts'
import { fromPlanes, toMatrices, toPlanes, toPoints } from './pixels.ts'
import { checkWeights, type LoadedRun } from './run-contents.ts'

export interface SessionModelOptions {
  readonly openSession: OpenSession
  /** Where the weights are from, for messages. */
  readonly where: string
  /** Writes each network anew before it is loaded (default: as it is). */
  readonly rewrite?: ((network: Network) => Promise<Network>) | undefined
}

/**
 * Opens a run that was read, on any runtime.
 *
 * @throws FormatError where its weights do not fit its model, or what `openSession` throws.
 */
export async function openSessionModel(
  { path, config, fit, weights }: LoadedRun,
  { openSession, where, rewrite }: SessionModelOptions,
): Promise<MotionModel> {
  const { source, frame } = splitGenerator(config)
  const detector = detectorGraph(config)
  const hasGenerator = Array.from(weights.keys()).some((name) => name.startsWith('generator.'))
  const needed = hasGenerator ? [detector, source, frame] : [detector]
  for (const graph of needed) checkWeights(weights, parametersOf(graph), where)
  const open = async (graph: Graph) => {
    const given: Network = { graph, weights }
    const network = (await rewrite?.(given)) ?? given
    // Networks run in turn: a pool that spins after its run would steal the others' cores.
    return openSession(network.graph, { weights: network.weights, spin: false })
  }
  // Tracking needs no generator, whose session may take a second to make.
  const openGenerator = async (): Promise<GeneratorSessions> => {
    if (!hasGenerator) throw noGenerator(path)
    const encoder = await open(source)
    try {
      return { encoder, generator: await open(frame) }
    } catch (error) {
      await encoder.close()
      throw error
    }
  }
  return new SessionModel({ path, config, fit, hasGenerator }, await open(detector), openGenerator)
}

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
