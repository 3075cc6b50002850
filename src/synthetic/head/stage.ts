// A synthetic person with everything around: made from a seed, and rendered at any time with exact labels.
import { Random } from '../../util/random.ts'
import { clamp, power } from '../arithmetic.ts'
import {
  type Flow,
  type Framing,
  flowOf,
  type HeadFrame,
  type HeadLabels,
  type KnownPoints,
  type Lighting,
} from '../made-clips.ts'
import type { HeadMesh } from './asset.ts'
import { Body, type Camera, type CutOut, drawTriangles } from './body.ts'
import { irisFinder, placeLandmarks, type SurfacePlace } from './landmarks.ts'
import { drawLight, exposed, type Light, Shadow } from './light.ts'
import { drawLook, type Look } from './look.ts'
import {
  type Buffers,
  carried,
  createBuffers,
  faceAt,
  inSight,
  type Moment,
  type Pan,
  panned,
  positionOf,
  sameLayer,
  withoutHair,
} from './moment.ts'
import { performanceAt } from './performance.ts'
import { drawPerson, isEye, shapeOf } from './person.ts'
import { type Backdrop, develop, drawFilm, type Film, paintBackdrop } from './picture.ts'
import { cutOutOf, type Matter, Shader } from './shade.ts'
import { findOpenness, paintSurface, raiseHair, type Surface } from './surface.ts'

/** How far the picture reaches from its middle, decimetres. */
const framings = {
  close: [1.2, 1.45],
  portrait: [1.45, 1.9],
  wide: [1.8, 2.15],
  far: [1.9, 2.45],
} as const

/** Height at which the body of the mesh ends, decimetres. */
const lowest = 4.35

const matters: readonly Matter[] = ['skin', 'hair', 'cloth', 'eye', 'mouth']

/** What a stage is made from: see `HeadOptions`. */
export interface StageOptions {
  readonly seed: number
  /** Pixels a side. */
  readonly size: number
  readonly framing?: Framing | undefined
  readonly light?: Lighting | undefined
}

/**
 * A person with clothes, light, backdrop and camera. It renders the person at any time, and knows where every point of
 * the person is.
 */
export class Stage {
  private readonly look: Look
  private readonly body: Body
  private readonly surface: Surface
  private readonly light: Light
  private readonly shadow: Shadow
  private readonly film: Film
  private readonly backdrop: Backdrop
  private readonly landmarks: readonly SurfacePlace[]
  private readonly irises: ReturnType<typeof irisFinder>
  private readonly camera: Camera
  private readonly seed: number
  private readonly width: number
  private readonly light3: Float32Array
  private readonly triangles: Uint16Array
  private readonly buffers: Buffers
  /** For a second moment, beside which the first is still needed. */
  private otherBuffers: Buffers | undefined
  /** The moment that `buffers` hold. */
  private last: { readonly time: number; readonly moment: Moment } | undefined
  private readonly cutOut: CutOut

  constructor(
    { seed, size, framing, light: lighting }: StageOptions,
    private readonly mesh: HeadMesh,
  ) {
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
    raiseHair(mesh, base, bare.normals, painted, this.look)
    this.body = new Body(mesh, base)
    this.body.move(still)
    this.triangles = this.look.hair.kind === 'long' ? mesh.triangles : withoutHair(mesh)
    this.cutOut = cutOutOf(mesh, this.look)
    const { positions, normals } = this.body
    this.surface = { ...painted, open: findOpenness(mesh, this.triangles, this.cutOut, positions, normals) }
    this.light = exposed(drawLight(light, lighting), this.look, this.body, light, lighting)
    this.shadow = new Shadow(this.triangles, this.cutOut, mesh.vertices, this.light.key.to)
    this.film = drawFilm(lens)
    this.camera = drawCamera(lens, framing)
    this.backdrop = paintBackdrop(scenery, Math.round(1.4 * size))
    this.landmarks = placeLandmarks(mesh, this.look)
    this.irises = irisFinder(mesh)
    this.seed = motion.uint32() | 0
    this.width = size
    this.light3 = new Float32Array(size * size * 3)
    this.buffers = createBuffers(mesh, size)
  }

  /** CIE lightness L* of the skin by itself, whatever the light: 0 to 100. */
  get lightness(): number {
    const [r, g, b] = this.look.skin
    return 116 * power(0.2126 * r + 0.7152 * g + 0.0722 * b, 1 / 3) - 16
  }

  /** What is known of a moment, by its time in seconds, beside landmarks. */
  labels(time: number): HeadLabels {
    const moment = this.moment(time)
    const mask = new Uint8Array(this.width ** 2)
    this.paint(moment, mask)
    const { yaw, pitch, roll, lean, expressions, gaze } = moment.performance
    return { box: this.box(moment), pose: { yaw, pitch, roll: roll + lean.roll }, gaze, expressions, mask }
  }

  /** The true motion from one moment to another, by their times in seconds: see `FlowClip.flow`. */
  flow(from: number, to: number, side: number): Flow {
    const here = this.last?.time === from ? this.last.moment : this.moment(from)
    this.otherBuffers ??= createBuffers(this.mesh, this.width)
    const there = this.moment(to, this.otherBuffers)
    const { width: size, mesh } = this
    // Samples are two a pixel: 1 is the centre of the first pixel.
    const toSample = (place: number) => (place + 1) * (size - 1) + 1
    const fromSample = (sample: number) => (sample - 1) / (size - 1) - 1
    return flowOf(side, (placeX, placeY) => {
      const [column, row] = [toSample(placeX), toSample(placeY)]
      const triangle = here.samples.ids[Math.floor(row) * 2 * size + Math.floor(column)]!
      const [x, y, near] =
        triangle < 0
          ? panned(column, row, size, here.pan, there.pan)
          : carried(mesh, triangle, column, row, here.points, there.points)
      const seen = inSight(there, x, y, near, triangle < 0) && sameLayer(mesh, triangle, faceAt(there, x, y))
      return [fromSample(x), fromSample(y), seen]
    })
  }

  /**
   * The picture of a moment, and its landmarks.
   *
   * @param time in seconds
   * @param grain number of the film's frame, which decides its noise
   */
  render(time: number, grain: number): Omit<HeadFrame, 'time' | 'duration'> {
    const moment = this.moment(time)
    this.shadow.cast(this.body.positions)
    this.paint(moment)
    const { width: size } = this
    const { points: landmarks, visible } = this.found(this.landmarks, moment)
    const irises = this.found(this.irises(moment.performance.gaze), moment)
    irises.visible.forEach((_, i) => {
      // An eyeball is so near behind its lid that depth alone does not tell.
      const face = faceAt(moment, ...this.sampleOf(irises.points, i))
      if (face >= 0 && !isEye(this.mesh.parts[face]!)) irises.visible[i] = 0
    })
    return {
      ...{ width: size, height: size, data: develop(this.light3, size, this.film, grain) },
      ...{ landmarks, visible, irises },
    }
  }

  /** The sample of a point. Samples are two a pixel: 1 is the centre of the first pixel. */
  private sampleOf(points: Float32Array, i: number): [x: number, y: number] {
    return [(points[2 * i]! + 1) * (this.width - 1) + 1, (points[2 * i + 1]! + 1) * (this.width - 1) + 1]
  }

  /** Where places on the mesh are on the picture, and which are in sight. */
  private found(places: readonly SurfacePlace[], moment: Moment): KnownPoints {
    const points = new Float32Array(2 * places.length)
    const visible = new Uint8Array(places.length)
    places.forEach((place, i) => {
      const [x, y, near] = positionOf(place, moment.points)
      points[2 * i] = (x - 1) / (this.width - 1) - 1
      points[2 * i + 1] = (y - 1) / (this.width - 1) - 1
      visible[i] = Number(inSight(moment, x, y, near, false))
    })
    return { points, visible }
  }

  /** Moves the body to its place at a time, and finds what is in sight, into `buffers`. */
  private moment(time: number, buffers = this.buffers): Moment {
    const performance = performanceAt(time, this.seed)
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
    body.project(camera, performance.lean, 2 * size, points)
    drawTriangles(samples, points, this.triangles, (t) => mesh.parts[t]! < 6, this.cutOut)
    // Backdrops of real clips stand still, or move little with the camera.
    const parallax = 0.3 / this.camera.half
    const pan = { zoom: 1 + 0.5 * (zoom - 1), x: right * parallax, y: -up * parallax }
    const moment = { performance, points, samples, distance: camera.distance, pan }
    if (buffers === this.buffers) this.last = { time, moment }
    return moment
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

function drawCamera(random: Random, framing: Framing | undefined): Camera {
  const drawn = random.uniform()
  const kind = framing ?? (drawn < 0.3 ? 'close' : drawn < 0.8 ? 'portrait' : 'wide')
  const [least, most] = framings[kind]
  const half = random.between(least, most)
  const aside = random.between(-0.15, 0.15) * half
  const height = 7.15 - random.between(0.05, 0.3) * (half - 0.7)
  return {
    half,
    x: kind === 'far' ? 2.5 * aside : aside,
    y: kind === 'far' ? Math.max(lowest + half, height) : height,
    distance: random.between(8, 18),
  }
}
