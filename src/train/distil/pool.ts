import { floats, type Tensor, tensor } from '../../graph/tensor.ts'
import type { Random } from '../../util/random.ts'
import type { CachedClip } from '../frame-cache.ts'
import type { RecordFile } from '../record-file.ts'
import type { LabelLayout, LabelName } from './labels.ts'

/** A picture with what the teacher says of it. */
export interface Labelled {
  /** RGB [size, size, 3] */
  readonly frame: Uint8Array
  readonly label: Float32Array
}

/** Frames of one batch, and their labels by name; see labels.ts. */
export interface LabelledBatch {
  /** RGB [n, size, size, 3] */
  readonly frames: Tensor
  readonly labels: ReadonlyMap<LabelName, Tensor>
}

/**
 * The pictures that a student learns from, each with the teacher's results: all frames of the clips in order,
 * then the variants of those that may be trained on.
 */
export class Pool {
  private readonly trainable: readonly number[]
  /** Frames that are not trained on. */
  readonly heldOut: readonly number[]

  constructor(
    private readonly file: RecordFile,
    readonly size: number,
    readonly layout: LabelLayout,
    readonly clips: readonly CachedClip[],
  ) {
    const frames = clips.reduce((sum, { count }) => sum + count, 0)
    const within = (from: (clip: CachedClip) => number, to: (clip: CachedClip) => number) =>
      clips.flatMap((clip) =>
        Array.from({ length: to(clip) - from(clip) }, (_, i) => clip.first + from(clip) + i),
      )
    const variants = Array.from({ length: file.count - frames }, (_, i) => frames + i)
    this.trainable = [
      ...within(
        () => 0,
        ({ training }) => training,
      ),
      ...variants,
    ]
    this.heldOut = within(
      ({ training }) => training,
      ({ count }) => count,
    )
  }

  /** All pictures. */
  get count(): number {
    return this.file.count
  }

  read(index: number): Labelled {
    const bytes = new Uint8Array(this.file.length)
    this.file.read(index, bytes)
    const pixels = this.size * this.size * 3
    return { frame: bytes.subarray(0, pixels), label: new Float32Array(bytes.slice(pixels).buffer) }
  }

  /** Pictures to train on, each with equal chance. */
  draw(random: Random, n: number): LabelledBatch {
    return this.batch(Array.from({ length: n }, () => this.trainable[random.integer(this.trainable.length)]!))
  }

  batch(indices: readonly number[]): LabelledBatch {
    const { size, layout } = this
    const n = indices.length
    const drawn = indices.map((index) => this.read(index))
    const frames = new Uint8Array(n * size * size * 3)
    drawn.forEach(({ frame }, i) => {
      frames.set(frame, i * frame.length)
    })
    const labels = layout.parts.map(({ name, shape, offset }) => {
      const length = shape.reduce((a, b) => a * b, 1)
      const numbers = new Float32Array(n * length)
      drawn.forEach(({ label }, i) => {
        numbers.set(label.subarray(offset, offset + length), i * length)
      })
      return [name, floats(numbers, [n, ...shape])] as const
    })
    return { frames: tensor('uint8', [n, size, size, 3], frames), labels: new Map(labels) }
  }

  close(): void {
    this.file.close()
  }
}
