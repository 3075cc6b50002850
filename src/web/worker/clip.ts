// Clips in the worker: opens video files, puppets and heads, and decodes frame by frame.
import * as mediabunny from 'mediabunny'
import type { Clip, Frame, FrameRange } from '../../media/clip.ts'
import { createFitter, subjectCrop } from '../../media/fit.ts'
import type { ByteSource } from '../../media/mp4-boxes.ts'
import { readVideo } from '../../media/video-in.ts'
import { squareFrame } from '../../model/inputs-outputs.ts'
import { type HeadMesh, readHeadMesh } from '../../synthetic/head/asset.ts'
import { isHead, openHead } from '../../synthetic/head/head.ts'
import { isPuppet, openPuppet, puppetForm } from '../../synthetic/puppet/puppet.ts'
import { InputError } from '../../util/errors.ts'
import type { ClipFrame, ClipOptions, OpenedClip } from '../clip.ts'
import { fetchAsset } from './faces.ts'
import { bitmapOf } from './pixels.ts'

// Its warnings would go to the page's console. Everything that matters reaches the user as an error.
mediabunny.Logging.level = mediabunny.LogLevel.Silent

/**
 * Opens a video file, a puppet or a head.
 *
 * @param assets address of pantin's assets, with a slash at its end
 * @throws InputError if it is none of them, or cannot be decoded here; EnvironmentError if the shapes of heads are not there.
 */
export async function openClip(source: Blob | string, assets: string): Promise<Clip> {
  if (typeof source !== 'string') {
    const name = 'name' in source && source.name !== '' ? String(source.name) : 'the video'
    return readVideo(bytesOf(source), name, { mediabunny })
  }
  if (isPuppet(source)) return openPuppet(source)
  if (isHead(source)) return openHead(source, await headMesh(`${assets}heads.bin`))
  throw new InputError({
    what: 'there is no such clip',
    where: source.slice(0, 200),
    expected: `a video file, ${puppetForm}, or head:SEED`,
    remedy: 'for a video at an address, fetch it and give its blob',
  })
}

const bytesOf = (blob: Blob): ByteSource => ({
  size: blob.size,
  read: async (start, end) => new Uint8Array(await blob.slice(start, end).arrayBuffer()),
  close: async () => {},
})

/** Fetched once in a worker; a training may have a hundred heads. */
let mesh: Promise<HeadMesh> | undefined

function headMesh(address: string): Promise<HeadMesh> {
  mesh ??= fetchMesh(address)
  return mesh
}

const fetchMesh = async (address: string): Promise<HeadMesh> =>
  readHeadMesh(await fetchAsset(address, 'the shapes of synthetic heads'))

/** A clip that a page reads, in one pass or several. */
export class ClipWorker {
  private readonly passes = new Map<number, AsyncGenerator<Frame, void, undefined>>()
  private begun = 0

  private constructor(
    private readonly clip: Clip,
    private readonly shown: (frame: Frame) => Frame,
  ) {}

  static async open(
    source: Blob | string,
    assets: string,
    options: ClipOptions,
  ): Promise<{ worker: ClipWorker; opened: OpenedClip }> {
    const clip = await openClip(source, assets)
    const { fit = 'crop', size = Math.min(clip.width, clip.height) } = options
    const { name, width, height, frameCount, frameRate, duration } = clip
    const facts = { name, frameCount, frameRate, duration }
    if (fit === 'whole') {
      return { worker: new ClipWorker(clip, (frame) => frame), opened: { ...facts, width, height } }
    }
    const crop = fit === 'crop' ? { crop: await subjectCrop(clip) } : {}
    const fitter = createFitter(clip, size, { mode: fit, ...crop })
    const shown = (frame: Frame) => squareFrame(fitter(frame), frame.time, frame.duration)
    return { worker: new ClipWorker(clip, shown), opened: { ...facts, width: size, height: size } }
  }

  /** Begins a pass over a range of frames. @returns its number */
  begin(range: FrameRange): number {
    this.passes.set(++this.begun, this.clip.frames(range))
    return this.begun
  }

  async next(pass: number): Promise<ClipFrame | undefined> {
    const next = await this.passes.get(pass)?.next()
    if (next === undefined || next.done) return undefined
    const { time, duration } = next.value
    return { time, duration, picture: await bitmapOf(this.shown(next.value)) }
  }

  async end(pass: number): Promise<void> {
    await this.passes.get(pass)?.return()
    this.passes.delete(pass)
  }
}
