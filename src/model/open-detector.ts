import type { KeypointDetector, OpenDetectorOptions } from './keypoint-detector.ts'
import { openOnnxDetector } from './onnx-detector.ts'
import { openRunDetector } from './run-detector.ts'

export type { Detections, KeypointDetector, OpenDetectorOptions } from './keypoint-detector.ts'

/**
 * Opens the detector of a run, or an ONNX file.
 *
 * @param path a run folder; or a file `.onnx` as onnx-detector.ts describes it
 * @throws InputError where it is neither, FormatError where a file cannot be used.
 */
export function openDetector(path: string, options: OpenDetectorOptions = {}): Promise<KeypointDetector> {
  return path.toLowerCase().endsWith('.onnx')
    ? openOnnxDetector(path, options)
    : openRunDetector(path, options)
}
