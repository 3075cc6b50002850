import { join } from 'node:path'
import { detectorGraph } from '../motion/model.ts'
import { parametersOf } from '../motion/weights.ts'
import { createSession } from '../runtime/node.ts'
import type { KeypointDetector, OpenDetectorOptions } from './keypoint-detector.ts'
import { checkWeights, loadRun } from './load.ts'
import { toPlanes } from './pixels.ts'
import { SessionDetector } from './session-detector.ts'

/** The detector of a run. @throws InputError where there is none, FormatError where its files do not fit. */
export async function openRunDetector(
  folder: string,
  { device = 'auto', details = false }: OpenDetectorOptions,
): Promise<KeypointDetector> {
  const { path, config, weights } = await loadRun(folder)
  const graph = detectorGraph(config, { details })
  checkWeights(weights, parametersOf(graph), join(path, 'weights.safetensors'))
  const session = await createSession(graph, { device, weights })
  return new SessionDetector(session, {
    path,
    size: config.size,
    names: { value: 'value', jacobian: 'jacobian', heatmap: 'heatmap', features: 'predictor' },
    feed: (picture) => ({ frame: toPlanes(picture, config.size) }),
  })
}
