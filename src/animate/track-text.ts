// Files of keypoints, as JSON and as CSV.
import type { FramedBy } from '../faces/framing.ts'
import { type Square, videoPosition } from '../media/fit.ts'
import { InputError } from '../util/errors.ts'

/** The keypoints of one frame. */
export interface TrackedFrame {
  /** Number of the frame in the clip, from 0. */
  readonly frame: number
  /** Time in the clip, in seconds. */
  readonly time: number
  /** K x 2, (x, y) in [-1, 1] of the square that the model sees: see `TrackHeader.crop`. */
  readonly value: number[][]
  /** K x 2 x 2, the local affine maps; undefined if the model has points only. */
  readonly jacobian: number[][][] | undefined
  /** Set if the frame is damaged: the keypoints are those of the frame before it. */
  readonly damaged?: true
}

/** The head of a track file. The list `frames` follows, with one `TrackedFrame` per line. */
export interface TrackHeader {
  /** Version of the file format, and the version of pantin that wrote it. */
  readonly pantin: {
    /** Version of the format. */
    readonly format: 1
    /** Version of pantin. */
    readonly version: string
  }
  /** Name of the detector network. */
  readonly net: string
  /** Number of keypoints, K. */
  readonly keypoints: number
  /** Side of the square that the network sees, in pixels. */
  readonly size: number
  /** Width of the video as displayed, in pixels. */
  readonly width: number
  /** Height of the video as displayed, in pixels. */
  readonly height: number
  /** Frames per second; the mean if the rate varies. */
  readonly frameRate: number
  /**
   * The square that the coordinates span, in pixels of the video. A coordinate x is at the pixel
   * left + ((x + 1) / 2 * (size - 1) + 0.5) * side / size - 0.5, where 0 is the centre of the first pixel. For y, take
   * `top` instead of `left`.
   */
  readonly crop: Square
  /** What decided the square. */
  readonly cropBy: FramedBy
}

/** The pieces of a file of keypoints. */
export interface TrackText {
  readonly begin: string
  /** The line of a frame; `count` frames are written before it. */
  line(frame: TrackedFrame, count: number): string
  readonly end: string
}

/** Makes the pieces of a file from its head. */
export type TrackFormat = (header: TrackHeader) => TrackText

/** One JSON object, whose last field, `frames`, has one element per line. */
const json: TrackFormat = (header) => ({
  begin: `${JSON.stringify(header).slice(0, -1)},"frames":[`,
  line: (frame, count) => `${count === 0 ? '' : ','}\n${JSON.stringify(frame)}`,
  end: '\n]}\n',
})

/** A line of names, then a line for each frame, with keypoints in pixels of the video. */
const csv: TrackFormat = ({ keypoints, crop, size }) => {
  const place = videoPosition(crop, size)
  const names = Array.from({ length: keypoints }, (_, k) => [`x${k}`, `y${k}`])
  return {
    begin: `${['frame', 'time', ...names.flat()].join()}\n`,
    line: ({ frame, time, value }) => {
      const points = value.flatMap(([x, y]) => place(x!, y!).map((pixels) => Number(pixels.toFixed(3))))
      return `${[frame, time, ...points].join()}\n`
    },
    end: '',
  }
}

/** The format that a file's name asks for. @throws InputError for a name that ends neither in .json nor in .csv. */
export function formatOf(path: string): TrackFormat {
  const [ending = ''] = /\.[^./\\]*$/.exec(path) ?? []
  if (ending.toLowerCase() === '.json') return json
  if (ending.toLowerCase() === '.csv') return csv
  throw new InputError({
    what: 'keypoints are not written in a file of this kind',
    where: path,
    got: ending === '' ? 'a name without an ending' : ending,
    expected: '.json or .csv',
    remedy: 'give the file a name that ends in .json or .csv',
  })
}
