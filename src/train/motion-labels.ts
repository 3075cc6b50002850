// What is known of synthetic clips, kept beside the cache of frames: points, and the true motion to a few other frames.
import type { Clip, Frame } from '../media/clip.ts'
import { hasLandmarks } from '../synthetic/head/head.ts'
import { hasFlow, headPointCount, type KnownPoints } from '../synthetic/made-clips.ts'
import { hasJoints } from '../synthetic/puppet/puppet.ts'
import { Random } from '../util/random.ts'

/** Points that a label has room for. */
export const labelPoints = headPointCount

/** Other frames, for each frame, to which the motion is kept. */
const partners = 2

/** Flow is kept in 16 bits, with steps of 1 / 8192 over [-4, 4]. */
const flowScale = 8192

/** Writes coordinates in two bytes each. */
export function writePlaces(view: DataView, at: number, places: Float32Array): void {
  places.forEach((place, i) => {
    const rounded = Math.round(place * flowScale)
    view.setInt16(at + 2 * i, Math.max(-32768, Math.min(32767, rounded)), true)
  })
}

/** Reads coordinates that `writePlaces` wrote. */
export function readPlaces(view: DataView, at: number, count: number): Float32Array<ArrayBuffer> {
  const places = new Float32Array(count)
  for (let i = 0; i < count; i++) places[i] = view.getInt16(at + 2 * i, true) / flowScale
  return places
}

/** What is known of one pair of frames. */
export interface PairLabel {
  /** The other frame of the pair, as a number within the clip's frames in the cache. */
  readonly partner: number
  /** [side, side, 2]: where points of the frame are in its partner, x, y in [-1, 1]. */
  readonly flow: Float32Array
  /** [side, side], 1 where the point is in sight in the partner. */
  readonly visible: Uint8Array
}

/** Bytes of one pair's motion, with `side` points along each axis. */
const pairBytes = (side: number): number => 4 + 5 * side * side

/** Bytes of one frame's label, with `side` points of the flow's grid along each axis. */
export const labelBytes = (side: number): number => labelPoints * 12 + partners * pairBytes(side)

/** Labels of cached frames, in a file of records. Only frames of clips with known motion have some. */
export class MotionLabels {
  private readonly file: Records
  private readonly pairBytes: number

  /**
   * @param side points of the flow's grid along each axis
   * @param records makes the file that labels are kept in; it is closed with the labels
   */
  constructor(
    readonly side: number,
    records: (length: number) => Records,
  ) {
    this.pairBytes = pairBytes(side)
    this.file = records(labelBytes(side))
  }

  /** Number of labelled frames. */
  get count(): number {
    return this.file.count
  }

  /**
   * Adds the label of a frame, if its clip's motion is known.
   *
   * @param number of the frame, within the clip's frames in the cache
   * @param step frames of the clip for each frame in the cache
   * @param training frames of the clip that may be partners
   */
  append(clip: Clip, frame: Frame, number: number, step: number, training: number): void {
    const points = knownPoints(frame)
    if (!hasFlow(clip) || points === undefined) return
    const record = new Uint8Array(this.file.length)
    const view = new DataView(record.buffer)
    writePoints(view, points)
    const random = new Random(number)
    for (let i = 0; i < partners; i++) {
      const partner = (number + 1 + random.integer(training - 1)) % training
      const { flow, visible } = clip.flow(number * step, partner * step, this.side)
      const at = labelPoints * 12 + i * this.pairBytes
      view.setUint32(at, partner, true)
      writePlaces(view, at + 4, flow)
      record.set(visible, at + 4 + 2 * flow.length)
    }
    this.file.append(record)
  }

  /** The points of a frame: [labelPoints, 3] as x, y in [-1, 1] and a weight, 0 where nothing is known. */
  points(index: number): Float32Array {
    return new Float32Array(this.read(index).buffer, 0, labelPoints * 3)
  }

  /** What is known of a frame and one of its partners. */
  pair(index: number, random: Random): PairLabel {
    const record = this.read(index)
    const view = new DataView(record.buffer)
    const at = labelPoints * 12 + random.integer(partners) * this.pairBytes
    const flow = readPlaces(view, at + 4, 2 * this.side ** 2)
    const visible = record.subarray(at + 4 + 2 * flow.length, at + this.pairBytes)
    return { partner: view.getUint32(at, true), flow, visible }
  }

  close(): void {
    this.file.close()
  }

  private read(index: number): Uint8Array<ArrayBuffer> {
    const record = new Uint8Array(this.file.length)
    this.file.read(index, record)
    return record
  }
}

/** A hidden point is known as exactly, but a network has less to find it by. */
const hiddenWeight = 0.3

function writePoints(view: DataView, { points, visible }: KnownPoints): void {
  visible.forEach((seen, i) => {
    const [x, y] = [points[2 * i]!, points[2 * i + 1]!]
    const within = Math.max(Math.abs(x), Math.abs(y)) <= 1
    view.setFloat32(12 * i, x, true)
    view.setFloat32(12 * i + 4, y, true)
    view.setFloat32(12 * i + 8, within ? (seen ? 1 : hiddenWeight) : 0, true)
  })
}

/** Records of one length, which are read in any order: more of them than memory holds, in a file wherever that is. */
export interface Records {
  /** Bytes of one record. */
  readonly length: number
  readonly count: number
  /** Adds a record: `length` bytes. @throws EnvironmentError where there is no room. */
  append(record: Uint8Array): void
  /** Copies record `index` into `target` at byte `offset`. @throws InputError where there is none. */
  read(index: number, target: Uint8Array, offset?: number): void
  close(): void
}

/** The landmarks of a head's frame and its irises, or the joints of a puppet's; undefined for other frames. */
export function knownPoints(frame: Frame): KnownPoints | undefined {
  if (hasJoints(frame)) return { points: frame.joints, visible: frame.visible }
  if (hasLandmarks(frame)) {
    const { landmarks, visible, irises } = frame
    return {
      points: Float32Array.from([...landmarks, ...irises.points]),
      visible: Uint8Array.from([...visible, ...irises.visible]),
    }
  }
  return undefined
}
