// Landmarks by somebody else's networks: MediaPipe's face detector, its mesh of 468 points and its eye contours (Apache-2.0),
// as the npm package @vladmandic/human (MIT) has them for TF.js. (Bazarevsky et al. 2019, "BlazeFace"; Kartynnik et al. 2019,
// "Real-time facial surface geometry"; Ablavatski et al. 2020, "Real-time pupil tracking".)
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { floats } from '../../src/graph/tensor.ts'
import type { Frame } from '../../src/media/clip.ts'
import { createSession } from '../../src/runtime/node.ts'
import type { Session } from '../../src/runtime/session.ts'
import { cropPlanes, fromCrop, type TurnedSquare, wholePicture } from './face-crop.ts'
import { eyes, meshPoints, outerCorners } from './face-points.ts'
import { tfjsGraph } from './tfjs-graph.ts'
import { readTfjs } from './tfjs-model.ts'

/** A face that was found. */
export interface FaceMesh {
  /** [468, 3]: column and row in pixels of the picture, and depth in the same unit, larger away from the viewer. */
  readonly points: Float64Array
  /** How sure the mesh's network is that its crop shows a face, 0 to 1. */
  readonly presence: number
  /** The upright square around the points with a margin of 25% on each side, which a next look may start from. */
  readonly square: TurnedSquare
}

/** Finds faces. Close it after use. */
export interface FaceFinder extends AsyncDisposable {
  /** The square of the largest face, as the detector finds it; undefined if it finds none. */
  box(frame: Frame): Promise<TurnedSquare | undefined>
  /**
   * The mesh of the face in a square: the mesh's network looks twice, the second time at the square of what it found.
   *
   * @param start default: the detector's square, and the whole picture if the detector finds nothing
   */
  mesh(frame: Frame, start?: TurnedSquare): Promise<FaceMesh>
  close(): Promise<void>
}

/** The development dependency, from `bench/src` and from `bench/dist` alike. */
export const faceModels = fileURLToPath(
  new URL('../../node_modules/@vladmandic/human/models', import.meta.url),
)

/** @throws EnvironmentError if the networks are not installed */
export async function openFaceFinder(options: { readonly threads?: number } = {}): Promise<FaceFinder> {
  const sessions: Session[] = []
  const open = async (name: string) => {
    const graph = tfjsGraph(await readTfjs(join(faceModels, `${name}.json`)))
    const session = await createSession(graph, { device: 'cpu', spin: false, ...options })
    sessions.push(session)
    return session
  }
  return new MediaPipeFinder(await open('blazeface'), await open('facemesh'), await open('iris'))
}

/** Sides of the pictures that the networks see. */
const [boxSide, meshSide, eyeSide] = [256, 192, 64]
/** MediaPipe's: a quarter of the face's size on each side. */
const margin = 1.5
/** MediaPipe's, over the distance between an eye's corners. */
const eyeMargin = 2.3

class MediaPipeFinder implements FaceFinder {
  constructor(
    private readonly detector: Session,
    private readonly meshNetwork: Session,
    private readonly eyeNetwork: Session,
  ) {}

  async box(frame: Frame): Promise<TurnedSquare | undefined> {
    const whole = wholePicture(frame)
    const planes = cropPlanes(frame, whole, boxSide).map((v) => 2 * v - 1)
    const found = await run(this.detector, planes, boxSide)
    const place = fromCrop(whole, boxSide)
    const face = bestBox([
      { scores: found.Identity!, boxes: found.Identity_2!, side: 16, perCell: 2 },
      { scores: found.Identity_1!, boxes: found.Identity_3!, side: 8, perCell: 6 },
    ])
    if (face === undefined) return undefined
    const [[ax, ay], [bx, by]] = [place(...face.rightEye), place(...face.leftEye)]
    const [x, y] = place(...face.centre)
    const side = (margin * face.side * whole.side) / boxSide
    return { x, y, side, angle: Math.atan2(by - ay, bx - ax) }
  }

  async mesh(frame: Frame, start?: TurnedSquare): Promise<FaceMesh> {
    const first = start ?? (await this.box(frame)) ?? wholePicture(frame)
    const { square } = await this.look(frame, first)
    const found = await this.look(frame, square)
    for (const eye of eyes) await this.refine(frame, found, eye)
    return found
  }

  async close(): Promise<void> {
    for (const session of [this.detector, this.meshNetwork, this.eyeNetwork]) await session.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  private async look(frame: Frame, square: TurnedSquare): Promise<FaceMesh> {
    const found = await run(this.meshNetwork, cropPlanes(frame, square, meshSide), meshSide)
    const raw = found.Identity_2!
    const place = fromCrop(square, meshSide)
    const points = new Float64Array(3 * meshPoints)
    for (let i = 0; i < raw.length; i += 3) {
      points.set([...place(raw[i]!, raw[i + 1]!), (raw[i + 2]! * square.side) / meshSide], i)
    }
    return { points, presence: found.Identity_1![0]!, square: squareAround(points) }
  }

  /**
   * Puts the lids where the network of eyes sees them: the mesh hardly closes them. The brows stay those of the mesh,
   * which follows raised brows better. Depths stay, too.
   */
  private async refine(frame: Frame, face: FaceMesh, { corners, lids, mirrored }: Eye): Promise<void> {
    const { points, square } = face
    const at = (i: number) => [points[3 * i]!, points[3 * i + 1]!] as const
    const [[ax, ay], [bx, by]] = [at(corners[0]), at(corners[1])]
    const side = eyeMargin * Math.hypot(bx - ax, by - ay)
    const around = { x: (ax + bx) / 2, y: (ay + by) / 2, side, angle: square.angle }
    const found = await run(this.eyeNetwork, cropPlanes(frame, around, eyeSide, mirrored), eyeSide)
    const place = fromCrop(around, eyeSide, mirrored)
    lids.forEach((point, i) => {
      points.set(place(found.Identity![3 * i]!, found.Identity![3 * i + 1]!), 3 * point)
    })
  }
}

type Eye = (typeof eyes)[number]

async function run(session: Session, planes: Float32Array, side: number) {
  const found = await session.run({ picture: floats(planes, [1, 3, side, side]) })
  return Object.fromEntries(Object.entries(found).map(([name, { data }]) => [name, data as Float32Array]))
}

/** One of the detector's two maps: cells of a grid, with several boxes for each. */
interface BoxMap {
  /** Logits, [side², perCell]. */
  readonly scores: Float32Array
  /** [side², perCell, 16]: centre, size and six points, in pixels from the cell's centre. */
  readonly boxes: Float32Array
  readonly side: number
  readonly perCell: number
}

/** The most certain box, if it is more likely a face than not. */
function bestBox(maps: readonly BoxMap[]) {
  const best = maps
    .flatMap(({ scores, ...map }) => Array.from(scores, (score, i) => ({ score, i, ...map })))
    .reduce((a, b) => (b.score > a.score ? b : a))
  if (best.score <= 0) return undefined
  const { i, boxes, side, perCell } = best
  const cell = Math.floor(i / perCell)
  const step = boxSide / side
  const [x, y] = [((cell % side) + 0.5) * step, (Math.floor(cell / side) + 0.5) * step]
  const pair = (k: number): [number, number] => [x + boxes[16 * i + k]!, y + boxes[16 * i + k + 1]!]
  const size = Math.max(boxes[16 * i + 2]!, boxes[16 * i + 3]!)
  return { centre: pair(0), side: size, rightEye: pair(4), leftEye: pair(6) }
}

/** The square around all points with its margin, upright by the eyes' outer corners. */
export function squareAround(points: Float64Array): TurnedSquare {
  const [right, left] = outerCorners
  const angle = Math.atan2(
    points[3 * left + 1]! - points[3 * right + 1]!,
    points[3 * left]! - points[3 * right]!,
  )
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  let [minU, maxU, minV, maxV] = [Infinity, -Infinity, Infinity, -Infinity]
  for (let i = 0; i < points.length; i += 3) {
    const u = cos * points[i]! + sin * points[i + 1]!
    const v = cos * points[i + 1]! - sin * points[i]!
    ;[minU, maxU] = [Math.min(minU, u), Math.max(maxU, u)]
    ;[minV, maxV] = [Math.min(minV, v), Math.max(maxV, v)]
  }
  const [u, v] = [(minU + maxU) / 2, (minV + maxV) / 2]
  const side = margin * Math.max(maxU - minU, maxV - minV)
  return { x: cos * u - sin * v, y: sin * u + cos * v, side, angle }
}
