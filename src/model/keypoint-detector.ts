import type { Device } from '../runtime/session.ts'

/** A keypoint detector of any origin, one picture at a time. */
export interface KeypointDetector {
  /** Its run folder, or file. */
  readonly path: string
  /** Side of the square pictures that it takes, in pixels. */
  readonly size: number
  /** K */
  readonly keypoints: number
  /** Shape of its heatmaps, [K, h, w]; undefined where it gives none. */
  readonly heatmap: readonly [number, number, number] | undefined
  /** Shape of the features that its head reads, [F, h, w]; undefined where it gives none. */
  readonly features: readonly [number, number, number] | undefined
  readonly jacobian: boolean
  readonly device: Device
  /**
   * @param frames RGB [n, size, size, 3], 0 to 255
   * @throws FormatError where a result is not finite.
   */
  detect(frames: Uint8Array): Promise<Detections>
  close(): Promise<void>
}

/** What was found in n pictures. */
export interface Detections {
  /** [n, K, 2], (x, y) in [-1, 1] */
  readonly value: Float32Array
  /** [n, K, 2, 2] */
  readonly jacobian: Float32Array | undefined
  /** [n, K, h, w], each map of sum 1; only with `details`. */
  readonly heatmap: Float32Array | undefined
  /** [n, F, h, w]; only with `details`. */
  readonly features: Float32Array | undefined
}

export interface OpenDetectorOptions {
  readonly device?: Device | 'auto'
  /** Give heatmaps and features too, where there are any (default: no). */
  readonly details?: boolean
}
