// The latency of one live frame: from a camera's planes to the animated picture.
import { setTimeout as sleep } from 'node:timers/promises'
import { createTransfer } from '../../src/animate/transfer.ts'
import { createFitter } from '../../src/media/fit.ts'
import { rgbToI420, yuvToRgb } from '../../src/media/yuv.ts'
import type { MotionModel } from '../../src/model/open-model.ts'
import { puppetClip, stillPuppet } from '../../src/synthetic/puppet/puppet.ts'

/** Side of a camera's frames, in pixels. */
const camera = 480
/** Frames per second of the camera. */
const rate = 25

export interface LiveLatency {
  /** Milliseconds from a camera's frame to the picture, over all frames but the first five. */
  readonly median: number
  readonly p95: number
  readonly frames: number
}

/**
 * Measures the time that one live frame takes: from a camera's planes (480x480, 4:2:0) through colour conversion, fit,
 * detector, transfer and generator to the RGB picture. There are 25 frames per second, so that caches and threads are
 * idle between frames, as in real use.
 */
export async function liveLatency(
  model: MotionModel,
  frames: number,
  signal?: AbortSignal,
): Promise<LiveLatency> {
  const { size } = model.config
  const fitter = createFitter({ width: camera, height: camera }, size)
  const { data: source } = stillPuppet({ seed: 5, size })
  const kpSource = await model.detect(source)
  const encoded = await model.encode(source)
  let transfer: ReturnType<typeof createTransfer> | undefined
  const times: number[] = []
  const warmUp = 5
  for await (const captured of puppetClip({ seed: 3, size: camera, frames: frames + warmUp }).frames()) {
    signal?.throwIfAborted()
    const planes = rgbToI420(captured.data, camera, camera)
    const start = performance.now()
    const kpDriving = await model.detect(fitter({ ...captured, data: fromI420(planes) }))
    transfer ??= createTransfer(kpSource, kpDriving)
    await model.generate(encoded, kpSource, transfer(kpDriving))
    const took = performance.now() - start
    times.push(took)
    await sleep(Math.max(0, 1000 / rate - took))
  }
  const sorted = times.slice(warmUp).sort((a, b) => a - b)
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]!
  return { median: at(0.5), p95: at(0.95), frames: sorted.length }
}

function fromI420(samples: Uint8Array): Uint8Array {
  const [luma, half] = [camera * camera, camera / 2]
  return yuvToRgb({
    width: camera,
    height: camera,
    samples,
    bits: 8,
    planes: [
      { offset: 0, stride: camera, step: 1 },
      { offset: luma, stride: half, step: 1 },
      { offset: luma + half * half, stride: half, step: 1 },
    ],
    chromaShift: [1, 1],
    matrix: 'bt709',
    fullRange: false,
  })
}
