// Clips of synthetic people: a head that moves, made from a seed alone, with exact labels.
import { type Clip, type Frame, type FrameRange, resolveRange } from '../../media/clip.ts'
import { Random } from '../../util/random.ts'
import { clamp } from '../arithmetic.ts'
import { assertClipOptions, isSpecOf, parseSpec, type SpecKind } from '../spec.ts'
import type { HeadMesh } from './asset.ts'
import { Body, type Camera, type CutOut, drawTriangles } from './body.ts'
import { placeLandmarks, type SurfacePlace } from './landmarks.ts'
import { drawLight, exposed, type Light, Shadow } from './light.ts'
import { drawLook, type Look } from './look.ts'
import {
  type Buffers,
  carried,
  createBuffers,
  inSight,
  type Moment,
  type Pan,
  panned,
  positionOf,
  withoutHair,
} from './moment.ts'
import { type Performance, performanceAt } from './performance.ts'
import { drawPerson, shapeOf } from './person.ts'
import { type Backdrop, develop, drawFilm, type Film, paintBackdrop } from './picture.ts'
import { cutOutOf, type Matter, Shader } from './shade.ts'
import { findOpenness, paintSurface, raiseHair, type Surface } from './surface.ts'

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
  readonly framing?: 'close' | 'portrait' | 'wide'
}

/** A frame of a head, with what is known of it. */
export interface HeadFrame extends Frame {
  /** [66, 2] as x, y in [-1, 1]: -1 and 1 are the centres of the first and last pixel. Order: `landmarkGroups`. */
  readonly landmarks: Float32Array
  /** [66], 1 where the landmark is within the picture and nothing covers it. */
  readonly visible: Uint8Array
}

/** More that is known of a frame. */
export interface HeadLabels {
  /** Square around the face, in pixels: from the brows to the chin, with a margin. */
  readonly box: { readonly left: number; readonly top: number; readonly side: number }
  /** Radians: positive yaw turns the face to the picture's right, pitch down, roll clockwise. */
  readonly pose: Pick<Performance, 'yaw' | 'pitch' | 'roll'>
  /** Weights of expressions by ARKit's names; those of 0 are left out. */
  readonly expressions: ReadonlyMap<string, number>
  /** [size, size]: 0 backdrop, 1 skin, 2 hair, 3 cloth, 4 eye, 5 inside of the mouth. */
  readonly mask: Uint8Array
}

/** Where the points of one frame are in another. */
export interface HeadFlow {
  /** [size, size, 2] as x, y in [-1, 1] of the other frame, for each pixel of this one; it may lie outside. */
  readonly flow: Float32Array
  /** [size, size], 1 where the point is in sight in the other frame, 0 where it is hidden or outside. */
  readonly visible: Uint8Array
}

export interface HeadClip extends Clip<HeadFrame> {
  /** What is known of a frame, beside its landmarks. @throws InputError if there is no such frame. */
  labels(frame: number): HeadLabels
  /** The true motion from one frame to another. @throws InputError if there is no such frame. */
  flow(from: number, to: number): HeadFlow
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

/** How far the picture reaches from its middle, decimetres. */
const framings = { close: [1.2, 1.45], portrait: [1.45, 1.9], wide: [1.8, 2.15] } as const

const matters: readonly Matter[] = ['skin', 'hair', 'cloth', 'eye', 'mouth']

class RenderedHead implements HeadClip {
  readonly name: string
  readonly width: number
  readonly height: number
  readonly frameRate: number
  readonly duration: number
  readonly frameCount: number
  private readonly look: Look
  private readonly body: Body
  private readonly surface: Surface
  private readonly light: Light
  private readonly shadow: Shadow
  private readonly film: Film
  private readonly backdrop: Backdrop
  private readonly landmarks: readonly SurfacePlace[]
  private readonly camera: Camera
  private readonly seed: number
  private readonly light3: Float32Array
  private readonly triangles: Uint16Array
  private readonly buffers: Buffers
  private readonly cutOut: CutOut

  constructor(
    { seed, frames = 240, size = 256, frameRate = 25, framing }: HeadOptions,
    private readonly mesh: HeadMesh,
  ) {
    this.name = `head:${seed}`
    assertClipOptions(this.name, { frames, size, frameRate }, 2048)
    const random = new Random(seed)
    // A generator for each part, so that a change to one leaves the others as they are.
    const [shape, look, light, lens, scenery, motion] = Array.from({ length: 6 }, () => random.fork()) as [
      Random,
      Random,
      Random,
      Random,
      Random,
      Random,
    ]
    const person = drawPerson(shape, mesh)
    this.look = drawLook(look, person)
    const base = shapeOf(person, mesh)
    const still = { yaw: 0, pitch: 0, roll: 0, expressions: new Map<string, number>() }
    const bare = new Body(mesh, base)
    bare.move(still)
    const painted = paintSurface(mesh, this.look)
    raiseHair(base, bare.normals, painted, this.look)
    this.body = new Body(mesh, base)
    this.body.move(still)
    this.triangles = this.look.hair.kind === 'long' ? mesh.triangles : withoutHair(mesh)
    this.cutOut = cutOutOf(mesh, this.look)
    const { positions, normals } = this.body
    this.surface = { ...painted, open: findOpenness(mesh, this.triangles, this.cutOut, positions, normals) }
    this.light = exposed(drawLight(light), this.look, this.body, light)
    this.shadow = new Shadow(this.triangles, this.cutOut, mesh.vertices, this.light.key.to)
    this.film = drawFilm(lens)
    this.camera = drawCamera(lens, framing)
    this.backdrop = paintBackdrop(scenery, Math.round(1.4 * size))
    this.landmarks = placeLandmarks(mesh, this.look)
    this.seed = motion.uint32() | 0
    this.width = size
    this.height = size
    this.frameRate = frameRate
    this.frameCount = frames
    this.duration = frames / frameRate
    this.light3 = new Float32Array(size * size * 3)
    this.buffers = createBuffers(mesh, size)
  }

  async *frames(range?: FrameRange): AsyncGenerator<HeadFrame, void, undefined> {
    for (const number of resolveRange(this, range)) yield this.render(number)
  }

  async close(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}

  labels(number: number): HeadLabels {
    const moment = this.moment(number)
    const mask = new Uint8Array(this.width ** 2)
    this.paint(moment, mask)
    const { yaw, pitch, roll, expressions } = moment.performance
    return { box: this.box(moment), pose: { yaw, pitch, roll }, expressions, mask }
  }

  flow(from: number, to: number): HeadFlow {
    const [here, there] = [this.moment(from), this.moment(to, createBuffers(this.mesh, this.width))]
    const { width: size, mesh } = this
    const flow = new Float32Array(size * size * 2)
    const visible = new Uint8Array(size * size)
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < size; column++) {
        const at = row * size + column
        const triangle = here.samples.ids[2 * row * 2 * size + 2 * column]!
        const [x, y, near] =
          triangle < 0
            ? panned(2 * column + 1, 2 * row + 1, size, here.pan, there.pan)
            : carried(mesh, triangle, 2 * column + 1, 2 * row + 1, here.points, there.points)
        // From samples, two a pixel, to [-1, 1] at the centres of the first and the last pixel.
        flow[2 * at] = (x - 1) / (size - 1) - 1
        flow[2 * at + 1] = (y - 1) / (size - 1) - 1
        visible[at] = Number(inSight(there, x, y, near, triangle < 0))
      }
    }
    return { flow, visible }
  }

  private render(number: number): HeadFrame {
    const moment = this.moment(number)
    this.shadow.cast(this.body.positions)
    this.paint(moment)
    const { width: size } = this
    const landmarks = new Float32Array(2 * this.landmarks.length)
    const visible = new Uint8Array(this.landmarks.length)
    this.landmarks.forEach((place, i) => {
      const [x, y, near] = positionOf(place, moment.points)
      landmarks[2 * i] = (x - 1) / (size - 1) - 1
      landmarks[2 * i + 1] = (y - 1) / (size - 1) - 1
      visible[i] = Number(inSight(moment, x, y, near, false))
    })
    return {
      width: size,
      height: size,
      data: develop(this.light3, size, this.film, number),
      time: number / this.frameRate,
      duration: 1 / this.frameRate,
      landmarks,
      visible,
    }
  }

  /** Moves the body to a frame, and finds what is in sight, into `buffers`. @throws InputError if there is no such frame. */
  private moment(number: number, buffers = this.buffers): Moment {
    resolveRange(this, { fromFrame: number, toFrame: number + 1 })
    const performance = performanceAt(number / this.frameRate, this.seed)
    const { body, mesh, width: size } = this
    body.move(performance)
    const [right, up, zoom] = performance.camera
    const camera = {
      ...this.camera,
      x: this.camera.x + right,
      y: this.camera.y + up,
      half: this.camera.half / zoom,
    }
    const { points, samples } = buffers
    body.project(camera, 2 * size, points)
    drawTriangles(samples, points, this.triangles, (t) => mesh.parts[t]! < 6, this.cutOut)
    const parallax = 0.3 / this.camera.half
    const pan = { zoom: 1 + 0.5 * (zoom - 1), x: right * parallax, y: -up * parallax }
    return { performance, points, samples, distance: camera.distance, pan }
  }

  /** Fills `light3`, and a mask where one is given. */
  private paint({ samples, points, performance, pan }: Moment, mask?: Uint8Array): void {
    const { width: size, light3 } = this
    const shader = new Shader(this.mesh, this.look, this.surface, this.body, this.light, this.shadow, points)
    shader.lookAt(performance.gaze)
    const { parts } = this.mesh
    const ids = samples.ids
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < size; column++) {
        const at = 3 * (row * size + column)
        let [red, green, blue, covered] = [0, 0, 0, 0]
        let seen = -1
        // The four samples of a pixel: those of one part are shaded once.
        for (let sample = 0; sample < 4; sample++) {
          const [sx, sy] = [2 * column + (sample & 1), 2 * row + (sample >> 1)]
          const id = ids[sy * 2 * size + sx]!
          if (id < 0) continue
          if (seen < 0 || parts[id] !== parts[seen]) {
            const alone = sample > 0
            shader.shade(id, sx + (alone ? 0.5 : 1), sy + (alone ? 0.5 : 1))
            seen = id
          }
          red += shader.colour[0]!
          green += shader.colour[1]!
          blue += shader.colour[2]!
          covered++
        }
        if (mask !== undefined && covered >= 2) mask[at / 3] = 1 + matters.indexOf(shader.matter)
        if (covered < 4) {
          const rest = 4 - covered
          const behind = this.behind(column, row, pan)
          red += rest * this.backdrop.pixels[behind]!
          green += rest * this.backdrop.pixels[behind + 1]!
          blue += rest * this.backdrop.pixels[behind + 2]!
        }
        light3[at] = red / 4
        light3[at + 1] = green / 4
        light3[at + 2] = blue / 4
      }
    }
  }

  /** Index of the backdrop's pixel behind a pixel of the picture. */
  private behind(column: number, row: number, pan: Pan): number {
    const { side } = this.backdrop
    const half = this.width / 2
    const u = ((column + 0.5 - half) / half / pan.zoom + pan.x) / 1.4
    const v = ((row + 0.5 - half) / half / pan.zoom + pan.y) / 1.4
    const x = Math.floor(clamp((u + 1) / 2, 0, 0.9999) * side)
    const y = Math.floor(clamp((v + 1) / 2, 0, 0.9999) * side)
    return 3 * (y * side + x)
  }

  private box({ points }: Moment): HeadLabels['box'] {
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity]
    for (const place of this.landmarks) {
      const [x, y] = positionOf(place, points)
      left = Math.min(left, x / 2)
      right = Math.max(right, x / 2)
      top = Math.min(top, y / 2)
      bottom = Math.max(bottom, y / 2)
    }
    const side = 1.1 * Math.max(right - left, bottom - top)
    return { left: (left + right - side) / 2, top: (top + bottom - side) / 2, side }
  }
}

function drawCamera(random: Random, framing: HeadOptions['framing']): Camera {
  const drawn = random.uniform()
  const kind = framing ?? (drawn < 0.3 ? 'close' : drawn < 0.8 ? 'portrait' : 'wide')
  const [least, most] = framings[kind]
  const half = random.between(least, most)
  return {
    half,
    x: random.between(-0.15, 0.15) * half,
    y: 7.15 - random.between(0.05, 0.3) * (half - 0.7),
    distance: random.between(8, 18),
  }
}

/** Heads as users name them. */
export const headSpecs = {
  name: 'head',
  form: 'head:SEED, or with options: head:7,frames=120,size=256,rate=25,framing=close',
  numbers: { frames: 'frames', size: 'size', rate: 'frameRate' },
  words: { framing: ['close', 'portrait', 'wide'] },
} as const satisfies SpecKind<keyof HeadOptions>

/** Whether a spec names a head. */
export const isHead = (spec: string): boolean => isSpecOf(headSpecs, spec)

/** The clip that a spec names. @throws InputError if there is no such head. */
export function openHead(spec: string, mesh: HeadMesh): HeadClip {
  const { words, ...options } = parseSpec(headSpecs, spec)
  const framing = headSpecs.words.framing.find((name) => name === words.framing)
  return headClip({ ...options, ...(framing !== undefined && { framing }) }, mesh)
}
