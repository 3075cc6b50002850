import type { Keypoints } from '../model/keypoints.ts'

/** The keypoints of one frame of a clip, and when it is shown, in seconds. */
export interface Pose {
  readonly time: number
  readonly duration: number
  readonly keypoints: Keypoints
}

/** Poses in one block of memory. */
const blockLength = 1024

/**
 * The poses of a clip, kept for a second pass over it: some 25 MB for an hour, where its frames would be decoded
 * and looked at again.
 */
export class PoseTape {
  private readonly blocks: { readonly numbers: Float32Array; readonly times: Float64Array }[] = []
  private count = 0

  /** @param matrices whether poses have jacobians */
  constructor(
    private readonly keypoints: number,
    private readonly matrices: boolean,
  ) {}

  get length(): number {
    return this.count
  }

  add({ time, duration, keypoints }: Pose): void {
    const at = this.count % blockLength
    if (at === 0) {
      const numbers = new Float32Array(blockLength * this.stride)
      this.blocks.push({ numbers, times: new Float64Array(2 * blockLength) })
    }
    const { numbers, times } = this.blocks.at(-1)!
    times.set([time, duration], 2 * at)
    numbers.set(keypoints.value, at * this.stride)
    if (keypoints.jacobian !== undefined) {
      numbers.set(keypoints.jacobian, at * this.stride + 2 * this.keypoints)
    }
    this.count++
  }

  *[Symbol.iterator](): Generator<Pose, void, undefined> {
    for (let i = 0; i < this.count; i++) {
      const { numbers, times } = this.blocks[Math.floor(i / blockLength)]!
      const at = i % blockLength
      const points = at * this.stride
      const matrices = points + 2 * this.keypoints
      yield {
        time: times[2 * at]!,
        duration: times[2 * at + 1]!,
        keypoints: {
          value: numbers.slice(points, matrices),
          jacobian: this.matrices ? numbers.slice(matrices, points + this.stride) : undefined,
        },
      }
    }
  }

  /** Numbers of one pose. */
  private get stride(): number {
    return this.keypoints * (this.matrices ? 6 : 2)
  }
}
