import { createTransfer } from '../../animate/transfer.ts'
import { SessionDetector } from '../../model/keypoint-detector.ts'
import type { Keypoints } from '../../model/keypoints.ts'
import type { LoadedRun } from '../../model/loaded-run.ts'
import { type EncodedPicture, type MotionModel, openSessionModel } from '../../model/motion-model.ts'
import { squareFrame, toPlanes } from '../../model/pixels.ts'
import { detectorGraph } from '../../motion/model.ts'
import { SerialQueue } from '../../runtime/scheduling.ts'
import { InputError } from '../../util/errors.ts'
import type { OpenedModel, SentPicture, SentPlace, Timed } from '../calls.ts'
import { OneEuroFilter } from '../one-euro.ts'
import type { Animated, AnimateOptions, Heatmap, Tracked, TrackOptions } from '../types.ts'
import { Processor, rewritten } from './device.ts'
import { nested } from './nested.ts'
import { bitmapOf, PictureReader } from './pixels.ts'
import { readRun } from './run-reader.ts'

/** What was seen in a picture, and how long it took in milliseconds. */
interface Seen {
  readonly keypoints: Keypoints
  readonly heatmap: Heatmap | undefined
  readonly detect: number
}

interface Source {
  readonly pixels: Uint8Array
  readonly keypoints: Keypoints
  /** Made when it is first moved. */
  encoded: EncodedPicture | undefined
}

/** A run's model at work on pictures, one at a time. */
export class ModelWorker {
  private readonly queue = new SerialQueue()
  private readonly reader: PictureReader
  private detailed: SessionDetector | undefined
  private source: Source | undefined
  private reference: Keypoints | undefined
  private filters = newFilters()

  private constructor(
    private readonly run: LoadedRun,
    private readonly processor: Processor,
    private model: MotionModel,
  ) {
    this.reader = new PictureReader(run.config.size, run.fit)
  }

  static async open(request: {
    name: string
    files: ReadonlyMap<string, Blob>
    place: SentPlace
  }): Promise<{ worker: ModelWorker; opened: OpenedModel }> {
    // The run first: where it cannot be used, megabytes of runtime are spared.
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

  track(picture: SentPicture, options: Timed<TrackOptions>): Promise<Tracked> {
    return this.queue.add(async () => {
      const { pixels, prepare } = await this.prepare(picture)
      return tracked(await this.see(pixels, options.heatmap ?? false), options.time, prepare)
    })
  }

  setSource(picture: SentPicture, options: Timed<TrackOptions>): Promise<Tracked> {
    return this.queue.add(async () => {
      const { pixels, prepare } = await this.prepare(picture)
      const seen = await this.see(pixels, options.heatmap ?? false)
      // The generator is opened here, so that the first frame does not wait for it.
      const encoded = await this.guard(() => this.model.encode(pixels))
      this.source = { pixels, keypoints: seen.keypoints, encoded }
      this.forgetReference()
      return tracked(seen, options.time, prepare)
    })
  }

  resetReference(): Promise<void> {
    return this.queue.add(async () => this.forgetReference())
  }

  animate(picture: SentPicture, options: Timed<AnimateOptions>): Promise<Animated> {
    return this.queue.add(async () => {
      const source = this.source ?? noSource()
      const { pixels, prepare } = await this.prepare(picture)
      const seen = await this.see(pixels, options.heatmap ?? false)
      const driving = this.smooth(seen.keypoints, options)
      this.reference ??= driving
      const absolute = options.relative === false
      const moved = createTransfer(source.keypoints, this.reference, { absolute })(driving)
      const began = performance.now()
      const result = await this.guard(async () => {
        source.encoded ??= await this.model.encode(source.pixels)
        return this.model.generate(source.encoded, source.keypoints, moved)
      })
      const made = performance.now()
      const frame = await bitmapOf(squareFrame(result))
      const found = tracked(seen, options.time, prepare)
      return {
        frame,
        driving: found,
        moved: nested(moved),
        milliseconds: {
          ...found.milliseconds,
          generate: made - began,
          show: performance.now() - made,
        },
      }
    })
  }

  private async prepare(picture: SentPicture) {
    const began = performance.now()
    const pixels = await this.reader.read(picture)
    return { pixels, prepare: performance.now() - began }
  }

  private async see(pixels: Uint8Array, heatmap: boolean): Promise<Seen> {
    const began = performance.now()
    const found = await this.guard(() =>
      heatmap ? this.detail(pixels) : this.model.detect(pixels).then((keypoints) => ({ keypoints })),
    )
    return { heatmap: undefined, ...found, detect: performance.now() - began }
  }

  /** With heatmaps, by a session of its own. */
  private async detail(pixels: Uint8Array): Promise<Pick<Seen, 'keypoints' | 'heatmap'>> {
    this.detailed ??= await openDetailed(this.processor, this.run)
    const { value, jacobian, heatmap } = await this.detailed.detect(pixels)
    const [keypoints, height, width] = this.detailed.heatmap!
    return { keypoints: { value, jacobian }, heatmap: { data: heatmap!, keypoints, height, width } }
  }

  private smooth(keypoints: Keypoints, { smoothing, time }: Timed<AnimateOptions>): Keypoints {
    if (smoothing === undefined || smoothing === false) {
      this.filters = newFilters()
      return keypoints
    }
    const { value, jacobian } = keypoints
    return {
      value: this.filters.value.filter(value, time, smoothing),
      jacobian: jacobian && this.filters.jacobian.filter(jacobian, time, smoothing),
    }
  }

  private forgetReference(): void {
    this.reference = undefined
    this.filters = newFilters()
  }

  /** Does something with the model; where the GPU fails, again on the CPU. */
  private async guard<T>(work: () => Promise<T>): Promise<T> {
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

const newFilters = () => ({ value: new OneEuroFilter(), jacobian: new OneEuroFilter() })

function openOn({ openSession }: Processor, run: LoadedRun): Promise<MotionModel> {
  return openSessionModel(run, { openSession, where: run.path, rewrite: rewritten(openSession) })
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

function tracked({ keypoints, heatmap, detect }: Seen, time: number, prepare: number): Tracked {
  return { time, ...nested(keypoints), ...(heatmap && { heatmap }), milliseconds: { prepare, detect } }
}

function noSource(): never {
  throw new InputError({ what: 'there is no picture to animate yet', remedy: 'call setSource first' })
}
