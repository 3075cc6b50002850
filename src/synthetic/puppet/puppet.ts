// Clips of a paper puppet that moves, made from a seed, with the true positions of its joints. The puppet is a
// jumping-jack. Users name it as `puppet:7`, or with options as `puppet:7,frames=120,size=256,rate=25`.
import { type Frame, type FrameRange, resolveRange } from '../../media/clip.ts'
import { paced } from '../../util/event-loop.ts'
import { Random } from '../../util/random.ts'
import { apply, invert, type Point, place, scaleOf } from '../arithmetic.ts'
import {
  assertClipOptions,
  type Flow,
  type FlowClip,
  flowOf,
  isSpecOf,
  parseSpec,
  type SpecKind,
} from '../made-clips.ts'
import { paintBackground } from './background.ts'
import { Canvas } from './canvas.ts'
import { type Character, drawCharacter } from './character.ts'
import { brass, paintStrings, pinRadius, pinShape, sewCostume } from './costume.ts'
import { createPress, type Part } from './paints.ts'
import {
  drawMotion,
  type JointName,
  jointNames,
  type PartName,
  type Pose,
  poseSkeleton,
  type Skeleton,
} from './skeleton.ts'

/** How a puppet clip is made. */
export interface PuppetOptions {
  /** Decides everything: body, clothes, background, motion. */
  readonly seed: number
  /** Number of frames, 1 to 1,000,000; default 240. */
  readonly frames?: number
  /** Side of the frames in pixels, 16 to 4096; default 256. */
  readonly size?: number
  /** Frames per second, over 0 and at most 1000; default 25. */
  readonly frameRate?: number
}

/** A frame with its true keypoints. */
export interface PuppetFrame extends Frame {
  /** [J, 2] as x, y in [-1, 1]: -1 and 1 are the centres of the first and the last pixel. Order: `jointNames`. */
  readonly joints: Float32Array
  /** Shape [J]. It is 1 if the joint is within the picture and no other body part covers it, otherwise 0. */
  readonly visible: Uint8Array
}

/** Whether this is the frame of a puppet. */
export function hasJoints(frame: Frame): frame is PuppetFrame {
  return 'joints' in frame
}

/** The body parts from back to front. */
const order: readonly PartName[] = [
  'lowerLeg0',
  'lowerLeg1',
  'upperLeg0',
  'upperLeg1',
  'lowerArm0',
  'lowerArm1',
  'upperArm0',
  'upperArm1',
  'torso',
  'head',
]

/** The body part after which each joint is drawn. If the joint has a pin, the pin is on that part. */
const jointLayer: Readonly<Record<JointName, { readonly part: PartName; readonly pin: boolean }>> = {
  head: { part: 'head', pin: false },
  neck: { part: 'head', pin: true },
  leftShoulder: { part: 'torso', pin: true },
  rightShoulder: { part: 'torso', pin: true },
  leftElbow: { part: 'upperArm0', pin: true },
  rightElbow: { part: 'upperArm1', pin: true },
  leftHand: { part: 'lowerArm0', pin: false },
  rightHand: { part: 'lowerArm1', pin: false },
  leftHip: { part: 'torso', pin: true },
  rightHip: { part: 'torso', pin: true },
  leftKnee: { part: 'upperLeg0', pin: true },
  rightKnee: { part: 'upperLeg1', pin: true },
  leftFoot: { part: 'lowerLeg0', pin: false },
  rightFoot: { part: 'lowerLeg1', pin: false },
}

/**
 * A clip of a paper puppet that moves. It depends only on its options, and is the same on every machine. Each
 * frame is painted when it is read.
 *
 * @throws InputError if an option is out of range.
 */
export function puppetClip(options: PuppetOptions): FlowClip<PuppetFrame> {
  return new PuppetClip(options)
}

/** The first frame of `puppetClip`. */
export function stillPuppet(options: Omit<PuppetOptions, 'frames' | 'frameRate'>): PuppetFrame {
  return { ...new PuppetClip({ ...options, frames: 1 }).render(0), duration: 0 }
}

class PuppetClip implements FlowClip<PuppetFrame> {
  readonly name: string
  readonly width: number
  readonly height: number
  readonly frameRate: number
  readonly duration: number
  readonly frameCount: number
  private readonly character: Character
  private readonly motion: (time: number) => Pose
  private readonly costume: Readonly<Record<PartName, Part>>
  private readonly background: Uint8Array

  constructor({ seed, frames = 240, size = 256, frameRate = 25 }: PuppetOptions) {
    this.name = `puppet:${seed}`
    assertClipOptions(this.name, { frames, size, frameRate }, 4096)
    const random = new Random(seed)
    // Each has its own generator, so that a change to one of them leaves the others as they are.
    const [body, motion, paper, scenery] = [random.fork(), random.fork(), random.fork(), random.fork()]
    this.character = drawCharacter(body)
    this.motion = drawMotion(motion)
    this.costume = sewCostume(this.character, createPress(this.character, size, paper))
    const canvas = new Canvas(size)
    paintBackground(canvas, this.character.palette, scenery)
    this.background = canvas.data
    this.width = size
    this.height = size
    this.frameRate = frameRate
    this.frameCount = frames
    this.duration = frames / frameRate
  }

  async *frames(range?: FrameRange): AsyncGenerator<PuppetFrame, void, undefined> {
    const pause = paced()
    for (const number of resolveRange(this, range)) {
      await pause()
      yield this.render(number)
    }
  }

  async close(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}

  render(number: number): PuppetFrame {
    const time = number / this.frameRate
    const skeleton = poseSkeleton(this.character, this.motion(time))
    const canvas = new Canvas(this.width, this.background.slice())
    paintStrings(canvas, skeleton, this.character)
    for (const name of order) this.paintPart(canvas, name, skeleton)
    return {
      width: this.width,
      height: this.height,
      data: canvas.data,
      time,
      duration: 1 / this.frameRate,
      joints: Float32Array.from(jointNames.flatMap((joint) => skeleton.joints[joint])),
      visible: Uint8Array.from(jointNames, (joint) => Number(this.isVisible(joint, skeleton))),
    }
  }

  flow(from: number, to: number, side = this.width): Flow {
    const [here, there] = [from, to].map((number) => {
      resolveRange(this, { fromFrame: number, toFrame: number + 1 })
      return poseSkeleton(this.character, this.motion(number / this.frameRate))
    }) as [Skeleton, Skeleton]
    const within = (x: number, y: number) => Math.max(Math.abs(x), Math.abs(y)) <= 1
    return flowOf(side, (x, y) => {
      const layer = this.layerAt(x, y, here)
      const name = order[layer]
      const [toX, toY]: Point =
        name === undefined ? [x, y] : apply(there.parts[name], ...apply(invert(here.parts[name]), x, y))
      return [toX, toY, within(toX, toY) && this.layerAt(toX, toY, there) <= layer]
    })
  }

  /** Index in `order` of the foremost body part at a point, -1 for the background. */
  private layerAt(x: number, y: number, skeleton: Skeleton): number {
    return order.findLastIndex((name) => covers(this.costume[name], skeleton, name, x, y, false))
  }

  private paintPart(canvas: Canvas, name: PartName, skeleton: Skeleton): void {
    const at = skeleton.parts[name]
    const { outline, layers } = this.costume[name]
    canvas.shade(outline, { ...at, tx: at.tx + 0.016, ty: at.ty + 0.022 }, 0.035, 0.3)
    for (const { shape, paint } of layers) canvas.paint(shape, at, paint)
    for (const joint of jointNames) {
      const { part, pin } = jointLayer[joint]
      if (!pin || part !== name) continue
      const [x, y] = skeleton.joints[joint]
      // Pins do not rotate: their highlight shows where the lamp is.
      const pinned = place(x, y, 0, scaleOf(at))
      canvas.shade(pinShape, { ...pinned, tx: x + 0.004, ty: y + 0.007 }, 0.012, 0.4)
      canvas.paint(pinShape, pinned, brass)
    }
  }

  /** Whether no body part in front of the joint's own part covers it. */
  private isVisible(joint: JointName, skeleton: Skeleton): boolean {
    const [x, y] = skeleton.joints[joint]
    if (Math.max(Math.abs(x), Math.abs(y)) > 1) return false
    const own = order.indexOf(jointLayer[joint].part)
    const { pin } = jointLayer[joint]
    return order.every((name, i) => i <= own || !covers(this.costume[name], skeleton, name, x, y, pin))
  }
}

function covers(part: Part, skeleton: Skeleton, name: PartName, x: number, y: number, pin: boolean): boolean {
  const at = skeleton.parts[name]
  const [dx, dy] = [x - at.tx, y - at.ty]
  const square = at.a * at.a + at.b * at.b
  const distance = part.outline.distance((at.a * dx + at.b * dy) / square, (at.a * dy - at.b * dx) / square)
  return distance < (pin ? pinRadius : 0)
}

/** Puppets as users name them. */
export const puppetSpecs = {
  name: 'puppet',
  form: 'puppet:SEED, or with options: puppet:7,frames=120,size=256,rate=25',
  numbers: { frames: 'frames', size: 'size', rate: 'frameRate' },
} as const satisfies SpecKind<keyof PuppetOptions>

/** How a puppet is named, for messages and help. */
export const puppetForm = puppetSpecs.form

/** Whether a spec names a puppet. */
export const isPuppet = (spec: string): boolean => isSpecOf(puppetSpecs, spec)

/** The clip that a spec names. @throws InputError if there is no such puppet. */
export const openPuppet = (spec: string): FlowClip<PuppetFrame> => puppetClip(parseSpec(puppetSpecs, spec))
