// A run's model in the worker: reads the run, finds keypoints, and moves the source, one picture at a time.
import { createTransfer, poseDistance } from '../../animate/transfer.ts'
import { decodeSafetensors } from '../../formats/safetensors/bytes.ts'
import type { Square } from '../../media/fit.ts'
import { type Keypoints, SessionDetector, squareFrame, toPlanes } from '../../model/keypoint-detector.ts'
import { animatedRunSchema, type LoadedRun, modelOf } from '../../model/loaded-run.ts'
import { type EncodedPicture, type MotionModel, openSessionModel } from '../../model/motion-model.ts'
import { KeypointFilter } from '../../model/one-euro.ts'
import { detectorGraph } from '../../motion/model.ts'
import { parseConfig } from '../../run/config.ts'
import { configFile, weightsFile } from '../../run/run-files.ts'
import { SerialQueue } from '../../runtime/ort.ts'
import { InputError } from '../../util/errors.ts'
import type { SentPlace } from '../connection.ts'
import type {
  AnimatedPicture,
  AnimatePictureOptions,
  Heatmap,
  OpenedModel,
  Pose,
  PosedPicture,
  PoseOptions,
  Timed,
  TrackedPicture,
  TrackPictureOptions,
} from '../model.ts'
import { decodePicture, type SentPicture } from '../picture.ts'
import type { RunFiles } from '../run.ts'
import { Processor, rewritten } from './device.ts'
import { bitmapOf, type Paster, PictureReader } from './pixels.ts'

/** The keypoints of a picture, and how long it took to find them in milliseconds. */
interface Detection {
  readonly keypoints: Keypoints
  readonly heatmap: Heatmap | undefined
  readonly detect: number
}

interface Source {
  readonly pixels: Uint8Array
  readonly keypoints: Keypoints
  readonly paster: Paster
  /** Made when the source is first moved. */
  encoded: EncodedPicture | undefined
}

/** A run's model at work on pictures, one at a time. */
export class ModelWorker {
  private readonly queue = new SerialQueue()
  private readonly reader: PictureReader
  private detailed: SessionDetector | undefined
  private source: Source | undefined
  private reference: Keypoints | undefined
  private filter = new KeypointFilter()

  private constructor(
    private readonly run: LoadedRun,
    private readonly processor: Processor,
    private model: MotionModel,
  ) {
    this.reader = new PictureReader(run.config.size, run.fit)
  }

  static async open(request: {
    name: string
    files: RunFiles
    place: SentPlace
  }): Promise<{ worker: ModelWorker; opened: OpenedModel }> {
    // The run is read first: if it cannot be used, megabytes of runtime need not be loaded.
    const run = await readRun(request.name, request.files)
    const processor = await Processor.open(request.place)
    const model = await openOn(processor, run).catch(async (error: unknown) => {
      if (await processor.leavesGpu(error)) return openOn(processor, run)
      throw error
    })
    const { size, keypoints } = run.config
    return {
      worker: new ModelWorker(run, processor, model),
      opened: { size, keypoints, ...processor.computing },
    }
  }

  track(picture: SentPicture, options: Timed<TrackPictureOptions>): Promise<TrackedPicture> {
    return this.queue.add(async () => {
      const { pixels, prepare } = await this.prepare(picture, options.crop)
      return this.tracked(await this.detect(pixels, options.heatmap ?? false), options.time, prepare)
    })
  }

  setSource(picture: SentPicture, options: Timed<TrackPictureOptions>): Promise<TrackedPicture> {
    return this.queue.add(async () => {
      const drawn = picture instanceof Blob ? await decodePicture(picture) : picture
      const paster = closedOnError(drawn, () => this.reader.pasterOf(drawn, options.crop))
      const { pixels, prepare } = await this.prepare(drawn, options.crop)
      const detection = await this.detect(pixels, options.heatmap ?? false)
      // The generator is opened here, so that the first picture does not wait for it.
      const encoded = await this.onDevice(() => this.model.encode(pixels))
      this.source = { pixels, keypoints: detection.keypoints, paster, encoded }
      this.forgetReference()
      return this.tracked(detection, options.time, prepare)
    })
  }

  resetReference(): Promise<void> {
    return this.queue.add(async () => this.forgetReference())
  }

  setReference(pose: Pose): Promise<void> {
    return this.queue.add(async () => {
      const { keypoints } = this.source ?? noSource()
      this.forgetReference()
      this.reference = posed(pose, keypoints)
    })
  }

  animate(picture: SentPicture, options: Timed<AnimatePictureOptions>): Promise<AnimatedPicture> {
    return this.queue.add(async () => {
      const source = closedOnError(picture, () => this.source ?? noSource())
      const { pixels, prepare } = await this.prepare(picture, options.crop)
      const detection = await this.detect(pixels, options.heatmap ?? false)
      const driving = this.smooth(detection.keypoints, options)
      this.reference ??= driving
      const { absolute = false, adaptMovementScale = true } = options
      const transfer = createTransfer(source.keypoints, this.reference, { absolute, adaptMovementScale })
      const moved = transfer(driving)
      const { frame, generate, show } = await this.move(source, moved, options.paste)
      const found = this.tracked(detection, options.time, prepare)
      return {
        frame,
        driving: found,
        moved: nested(moved),
        milliseconds: { ...found.milliseconds, generate, show },
      }
    })
  }

  pose(pose: Pose, { paste }: PoseOptions): Promise<PosedPicture> {
    return this.queue.add(async () => {
      const source = this.source ?? noSource()
      const { frame, generate, show } = await this.move(source, posed(pose, source.keypoints), paste)
      return { frame, milliseconds: { generate, show } }
    })
  }

  /** Makes the picture of the source with its keypoints at other places. */
  private async move(source: Source, keypoints: Keypoints, paste = false) {
    const began = performance.now()
    const result = await this.onDevice(async () => {
      source.encoded ??= await this.model.encode(source.pixels)
      return this.model.generate(source.encoded, source.keypoints, keypoints)
    })
    const made = performance.now()
    const square = await bitmapOf(squareFrame(result))
    const frame = paste ? source.paster.show(square) : square
    if (paste) square.close()
    return { frame, generate: made - began, show: performance.now() - made }
  }

  private async prepare(picture: SentPicture, crop: Square | undefined) {
    const began = performance.now()
    const pixels = await this.reader.read(picture, crop)
    return { pixels, prepare: performance.now() - began }
  }

  private async detect(pixels: Uint8Array, heatmap: boolean): Promise<Detection> {
    const began = performance.now()
    const found = await this.onDevice(() =>
      heatmap ? this.detail(pixels) : this.model.detect(pixels).then((keypoints) => ({ keypoints })),
    )
    return { heatmap: undefined, ...found, detect: performance.now() - began }
  }

  /** Keypoints with heatmaps, by another session of the detector. */
  private async detail(pixels: Uint8Array): Promise<Pick<Detection, 'keypoints' | 'heatmap'>> {
    this.detailed ??= await openDetailed(this.processor, this.run)
    const { value, jacobian, heatmap } = await this.detailed.detect(pixels)
    const [keypoints, height, width] = this.detailed.heatmap!
    return { keypoints: { value, jacobian }, heatmap: { data: heatmap!, keypoints, height, width } }
  }

  private tracked({ keypoints, heatmap, detect }: Detection, time: number, prepare: number): TrackedPicture {
    const { source } = this
    return {
      ...{ time, ...nested(keypoints), milliseconds: { prepare, detect } },
      ...(heatmap && { heatmap }),
      ...(source && { poseDistance: poseDistance(source.keypoints, keypoints) }),
    }
  }

  private smooth(keypoints: Keypoints, { smoothing, time }: Timed<AnimatePictureOptions>): Keypoints {
    if (smoothing === undefined || smoothing === false) {
      this.filter = new KeypointFilter()
      return keypoints
    }
    return this.filter.filter(keypoints, time, smoothing)
  }

  private forgetReference(): void {
    this.reference = undefined
    this.filter = new KeypointFilter()
  }

  /** Does something with the model. If the GPU fails, does it again on the CPU. */
  private async onDevice<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (!(await this.processor.leavesGpu(error))) throw error
      this.model = await openOn(this.processor, this.run)
      this.detailed = undefined
      if (this.source !== undefined) this.source.encoded = undefined
      return work()
    }
  }
}

function openOn(processor: Processor, run: LoadedRun): Promise<MotionModel> {
  const { openSession, current } = processor
  return openSessionModel(run, {
    ...{ openSession, where: run.path, rewrite: rewritten(processor) },
    halves: current.device === 'webgpu' && run.halves,
  })
}

async function openDetailed(
  { openSession }: Processor,
  { path, config, weights }: LoadedRun,
): Promise<SessionDetector> {
  const session = await openSession(detectorGraph(config, { details: ['heatmap'] }), { weights })
  return new SessionDetector(session, {
    path,
    size: config.size,
    names: { value: 'value', jacobian: 'jacobian', heatmap: 'heatmap' },
    feed: (picture) => ({ frame: toPlanes(picture, config.size) }),
  })
}

/** A pose as keypoints. @throws InputError if it does not fit the source. */
function posed({ value, jacobian }: Pose, source: Keypoints): Keypoints {
  const points = Float32Array.from(value.flat())
  const maps = jacobian === undefined ? source.jacobian : Float32Array.from(jacobian.flat(2))
  const fits = points.length === source.value.length && maps?.length === source.jacobian?.length
  if (!fits || ![...points, ...(maps ?? [])].every(Number.isFinite)) {
    throw new InputError({
      what: 'the pose does not fit the picture',
      got: fits
        ? 'a number that is not finite'
        : `${value.length} points and ${jacobian?.length ?? 'no'} maps`,
      expected: `finite numbers for ${source.value.length / 2} points${source.jacobian ? ' and as many maps' : ''}`,
    })
  }
  return { value: points, jacobian: maps }
}

/** Some work before a picture is read. If it fails, nobody else closes the picture. */
function closedOnError<T>(picture: SentPicture, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if ('close' in picture) picture.close()
    throw error
  }
}

function noSource(): never {
  throw new InputError({ what: 'there is no picture to animate yet', remedy: 'call setSource first' })
}

/** Reads the files of a run. @throws InputError, FormatError if they cannot be used */
export async function readRun(name: string, files: RunFiles): Promise<LoadedRun> {
  const text = await file(files, name, configFile).text()
  const { config } = parseConfig(text, `${name}/${configFile}`, animatedRunSchema)
  const bytes = new Uint8Array(await file(files, name, weightsFile).arrayBuffer())
  const { tensors } = await decodeSafetensors(bytes, `${name}/${weightsFile}`)
  return { path: name, ...modelOf(config, name), weights: tensors }
}

function file(files: RunFiles, name: string, path: string): Blob {
  const found = files.get(path)
  if (found !== undefined) return found
  throw new InputError({ what: 'not a run', where: name, got: `no ${path}`, expected: 'what train writes' })
}

/** Keypoints as nested lists: K x 2, and K x 2 x 2. */
function nested({ value, jacobian }: Keypoints): Pick<TrackedPicture, 'value' | 'jacobian'> {
  const points = pairs(value)
  if (jacobian === undefined) return { value: points }
  const rows = pairs(jacobian)
  const matrices = Array.from({ length: rows.length / 2 }, (_, k) => [rows[2 * k]!, rows[2 * k + 1]!])
  return { value: points, jacobian: matrices }
}

function pairs(flat: Float32Array): number[][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!])
}
