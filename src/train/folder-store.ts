import { writePicture } from '../media/picture.ts'
import type { Run } from '../run/run.ts'
import type { RunStore } from './run-store.ts'

/** A run folder as the place where training keeps its run. */
export function folderStore(run: Run): RunStore {
  return {
    path: run.path,
    hasCheckpoint: () => run.hasCheckpoint(),
    loadCheckpoint: () => run.loadCheckpoint(),
    saveCheckpoint: (checkpoint) => run.saveCheckpoint(checkpoint),
    saveWeights: (tensors, metadata) => run.saveWeights(tensors, metadata),
    appendMetrics: (record) => run.appendMetrics(record),
    truncateMetrics: (step) => run.truncateMetrics(step),
    savePreview: (step, picture) => writePicture(run.previewPath(step), picture),
  }
}
