import { floats, type Tensor, tensor } from '../graph/tensor.ts'
import { drawTransform, type TransformOptions } from '../train/transform.ts'
import { Random } from '../util/random.ts'

/** Batches to time training steps on: pictures that are smooth and move, as those of a clip. */

/** What the whole model's step is fed. */
export function wholeBatch(size: number, batch: number, options: TransformOptions): Record<string, Tensor> {
  const random = new Random(7)
  const { theta, spline } = drawTransform(random, batch, options)
  return {
    frames: tensor('uint8', [2 * batch, size, size, 3], drawFrames(random, batch, size, 2)),
    theta: floats(theta, [batch, 2, 3]),
    spline: floats(spline, [batch, options.points ** 2, 1]),
  }
}

/** What the detector's step is fed: frames, and the keypoints that it is to find in them. */
export function detectorBatch(size: number, batch: number, keypoints: number): Record<string, Tensor> {
  const random = new Random(7)
  const around = (count: number, middle: (i: number) => number, deviation: number) =>
    Float32Array.from({ length: count }, (_, i) => middle(i) + deviation * random.normal())
  const n = batch * keypoints
  return {
    frames: tensor('uint8', [batch, size, size, 3], drawFrames(random, batch, size, 1)),
    value: floats(
      around(2 * n, () => 0, 0.4),
      [batch, keypoints, 2],
    ),
    jacobian: floats(
      around(4 * n, (i) => (i % 4 === 0 || i % 4 === 3 ? 1 : 0), 0.2),
      [batch, keypoints, 2, 2],
    ),
  }
}

/** Soft blobs in front of a gradient: `moments` of each picture, in which the blobs have moved. */
function drawFrames(random: Random, count: number, size: number, moments: number): Uint8Array<ArrayBuffer> {
  const frames = new Uint8Array(moments * count * size * size * 3)
  for (let picture = 0; picture < count; picture++) {
    const blobs = Array.from({ length: 6 }, () => ({
      at: [random.between(-0.8, 0.8), random.between(-0.8, 0.8)] as const,
      speed: [random.between(-0.2, 0.2), random.between(-0.2, 0.2)] as const,
      width: random.between(0.05, 0.35),
      colour: [0, 1, 2].map(() => random.between(-160, 160)),
    }))
    for (let moment = 0; moment < moments; moment++) {
      const first = (moment * count + picture) * size * size * 3
      for (let i = 0; i < size * size; i++) {
        const x = (2 * (i % size)) / (size - 1) - 1
        const y = (2 * Math.floor(i / size)) / (size - 1) - 1
        for (let c = 0; c < 3; c++) {
          let sum = 120 + 40 * (c === 0 ? x : y)
          for (const { at, speed, width, colour } of blobs) {
            const [dx, dy] = [x - at[0] - moment * speed[0], y - at[1] - moment * speed[1]]
            sum += colour[c]! * Math.exp(-(dx * dx + dy * dy) / (2 * width * width))
          }
          frames[first + 3 * i + c] = Math.min(255, Math.max(0, Math.round(sum)))
        }
      }
    }
  }
  return frames
}
