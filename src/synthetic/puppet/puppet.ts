import { type Clip, type FrameRange, resolveRange } from '../../media/clip.ts'
import type { Frame } from '../../media/frame.ts'
import { InputError } from '../../util/errors.ts'
import { Random } from '../../util/random.ts'
import { place, scaleOf } from './affine.ts'
import { paintBackground } from './background.ts'
import { Canvas } from './canvas.ts'
import { type Character, drawCharacter } from './character.ts'
import { sewCostume } from './costume.ts'
import { type Figure, type JointName, jointNames, type PartName, poseFigure } from './figure.ts'
import { drawMotion, type Pose } from './motion.ts'
import { brass, pinRadius, pinShape } from './pin.ts'
import { createPress, type Part } from './press.ts'
import { paintStrings } from './strings.ts'

export interface PuppetOptions {
  /** Decides everything: figure, clothes, background, motion. */
  readonly seed: number
  /** 1 to 1,000,000; default 240. */
  readonly frames?: number
  /** Pixels a side, 16 to 4096; default 256. */
  readonly size?: number
  /** Frames a second, default 25. */
  readonly frameRate?: number
}

/** A frame of which the true keypoints are known. */
export interface PuppetFrame extends Frame {
  /** [J, 2] as x, y in [-1, 1]: -1 and 1 are the centres of the first and last pixel. Order: `jointNames`. */
  readonly joints: Float32Array
  /** [J], 1 where the joint is within the picture and no other part covers it. */
  readonly visible: Uint8Array
}

/** Whether this is the frame of a puppet. */
export function hasJoints(frame: Frame): frame is PuppetFrame {
  return 'joints' in frame
}

/** From back to front. */
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

/** The part after which each joint is drawn; those with a pin have it on that part. */
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
 * A paper jumping-jack that moves, made from a seed alone: the same on every machine. Frames are painted
 * as they are asked for, at the size asked for.
 *
 * @throws InputError if an option is out of range.
 */
export function puppetClip(options: PuppetOptions): Clip<PuppetFrame> {
  return new PuppetClip(options)
}

/** The first frame of `puppetClip`. */
export function stillPuppet(options: Omit<PuppetOptions, 'frames' | 'frameRate'>): PuppetFrame {
  return { ...new PuppetClip({ ...options, frames: 1 }).render(0), duration: 0 }
}

class PuppetClip implements Clip<PuppetFrame> {
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
    assertOptions(this.name, frames, size, frameRate)
    const random = new Random(seed)
    // A generator each, so that a change to one part leaves the others as they are.
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
    for (const number of resolveRange(this, range)) yield this.render(number)
  }

  async close(): Promise<void> {}

  render(number: number): PuppetFrame {
    const time = number / this.frameRate
    const figure = poseFigure(this.character, this.motion(time))
    const canvas = new Canvas(this.width, this.background.slice())
    paintStrings(canvas, figure, this.character)
    for (const name of order) this.paintPart(canvas, name, figure)
    return {
      width: this.width,
      height: this.height,
      data: canvas.data,
      time,
      duration: 1 / this.frameRate,
      joints: Float32Array.from(jointNames.flatMap((joint) => figure.joints[joint])),
      visible: Uint8Array.from(jointNames, (joint) => Number(this.isVisible(joint, figure))),
    }
  }

  private paintPart(canvas: Canvas, name: PartName, figure: Figure): void {
    const at = figure.parts[name]
    const { outline, layers } = this.costume[name]
    canvas.shade(outline, { ...at, tx: at.tx + 0.016, ty: at.ty + 0.022 }, 0.035, 0.3)
    for (const { shape, paint } of layers) canvas.paint(shape, at, paint)
    for (const joint of jointNames) {
      const { part, pin } = jointLayer[joint]
      if (!pin || part !== name) continue
      const [x, y] = figure.joints[joint]
      // Pins do not turn: their glint is the lamp's.
      const pinned = place(x, y, 0, scaleOf(at))
      canvas.shade(pinShape, { ...pinned, tx: x + 0.004, ty: y + 0.007 }, 0.012, 0.4)
      canvas.paint(pinShape, pinned, brass)
    }
  }

  /** Whether no part nearer than the joint's own covers it. */
  private isVisible(joint: JointName, figure: Figure): boolean {
    const [x, y] = figure.joints[joint]
    if (Math.max(Math.abs(x), Math.abs(y)) > 1) return false
    const own = order.indexOf(jointLayer[joint].part)
    const { pin } = jointLayer[joint]
    return order.every((name, i) => i <= own || !covers(this.costume[name], figure, name, x, y, pin))
  }
}

function covers(part: Part, figure: Figure, name: PartName, x: number, y: number, pin: boolean): boolean {
  const at = figure.parts[name]
  const [dx, dy] = [x - at.tx, y - at.ty]
  const square = at.a * at.a + at.b * at.b
  const distance = part.outline.distance((at.a * dx + at.b * dy) / square, (at.a * dy - at.b * dx) / square)
  return distance < (pin ? pinRadius : 0)
}

function assertOptions(name: string, frames: number, size: number, frameRate: number): void {
  const refuse = (what: string, got: number, expected: string): never => {
    throw new InputError({ what, where: name, got: String(got), expected })
  }
  if (!Number.isInteger(frames) || frames < 1 || frames > 1e6) {
    refuse('not a number of frames', frames, '1 to 1000000')
  }
  if (!Number.isInteger(size) || size < 16 || size > 4096) refuse('not a picture size', size, '16 to 4096')
  if (!(frameRate > 0 && frameRate <= 1000)) refuse('not a frame rate', frameRate, 'over 0, at most 1000')
}
