// Clips of synthetic people: a head that moves, made from a seed alone, with exact labels.
import { type FrameRange, resolveRange } from '../../media/clip.ts'
import { paced } from '../../util/event-loop.ts'
import { defined } from '../../util/options.ts'
import {
  assertClipOptions,
  type Flow,
  type FlowClip,
  type Framing,
  type HeadFrame,
  type HeadLabels,
  isSpecOf,
  type KnownHead,
  type Lighting,
  parseSpec,
  type SpecKind,
} from '../made-clips.ts'
import type { HeadMesh } from './asset.ts'
import { Stage } from './stage.ts'

export { type HeadFrame, type HeadLabels, hasLandmarks } from '../made-clips.ts'

export interface HeadOptions {
  /** Decides everything: person, clothes, light, backdrop, movement. */
  readonly seed: number
  /** 1 to 1,000,000; default 240. */
  readonly frames?: number
  /** Pixels a side, 16 to 2048; default 256. */
  readonly size?: number
  /** Frames per second, default 25. */
  readonly frameRate?: number
  /** How much of the person is in the picture; by default the seed decides. */
  readonly framing?: Framing
  /** How the person is lit; by default the seed decides. */
  readonly light?: Lighting
}

export interface HeadClip extends FlowClip<HeadFrame>, KnownHead {
  /** What is known of a frame, beside its landmarks. @throws InputError if there is no such frame. */
  labels(frame: number): HeadLabels
}

/**
 * A person who moves, made from a seed: the same on every machine. Frames are rendered as they are asked for.
 *
 * @param mesh the shapes of heads: see `readHeadMesh`
 * @throws InputError if an option is out of range.
 */
export function headClip(options: HeadOptions, mesh: HeadMesh): HeadClip {
  return new RenderedHead(options, mesh)
}

/** Heads whose stages are kept; the oldest is first. A series of thousands would not fit into memory. */
const recent: RenderedHead[] = []
const mostStages = 4

class RenderedHead implements HeadClip {
  readonly name: string
  readonly width: number
  readonly height: number
  readonly frameRate: number
  readonly duration: number
  readonly frameCount: number
  private made: Stage | undefined

  constructor(
    private readonly options: HeadOptions,
    private readonly mesh: HeadMesh,
  ) {
    const { seed, frames = 240, size = 256, frameRate = 25 } = options
    this.name = `head:${seed}`
    assertClipOptions(this.name, { frames, size, frameRate }, 2048)
    this.width = size
    this.height = size
    this.frameRate = frameRate
    this.frameCount = frames
    this.duration = frames / frameRate
  }

  async *frames(range?: FrameRange): AsyncGenerator<HeadFrame, void, undefined> {
    const pause = paced()
    for (const number of resolveRange(this, range)) {
      await pause()
      const time = this.timeOf(number)
      yield { ...this.stage.render(time, number), time, duration: 1 / this.frameRate }
    }
  }

  async close(): Promise<void> {
    this.made = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.made = undefined
  }

  get lightness(): number {
    return this.stage.lightness
  }

  labels(number: number): HeadLabels {
    return this.stage.labels(this.timeOf(number))
  }

  flow(from: number, to: number, side = this.width): Flow {
    return this.stage.flow(this.timeOf(from), this.timeOf(to), side)
  }

  /** The person, made when it is first needed. */
  private get stage(): Stage {
    if (this.made === undefined) {
      this.made = new Stage({ ...this.options, size: this.width }, this.mesh)
      recent.push(this)
      if (recent.length > mostStages) recent.shift()!.made = undefined
    }
    return this.made
  }

  /** Seconds of a frame. @throws InputError if there is no such frame. */
  private timeOf(number: number): number {
    resolveRange(this, { fromFrame: number, toFrame: number + 1 })
    return number / this.frameRate
  }
}

/** Heads as users name them. */
export const headSpecs = {
  name: 'head',
  form: 'head:SEED, or with options: head:7,frames=120,size=256,rate=25,framing=close,light=soft',
  numbers: { frames: 'frames', size: 'size', rate: 'frameRate' },
  words: { framing: ['close', 'portrait', 'wide', 'far'], light: ['soft', 'hard', 'dim'] },
} as const satisfies SpecKind<keyof HeadOptions>

/** Whether a spec names a head. */
export const isHead = (spec: string): boolean => isSpecOf(headSpecs, spec)

/** The clip that a spec names. @throws InputError if there is no such head. */
export function openHead(spec: string, mesh: HeadMesh): HeadClip {
  const { words, ...options } = parseSpec(headSpecs, spec)
  const framing = headSpecs.words.framing.find((name) => name === words.framing)
  const light = headSpecs.words.light.find((name) => name === words.light)
  return headClip({ ...options, ...defined({ framing, light }) }, mesh)
}
