import type { TrainEvent } from '../train/events.ts'

/** Of a trial's progress, 0 to 1: training begins at the first, when a teacher has labelled, and ends at the second. */
const [trainingFrom, trainingTo] = [0.05, 0.9]

/** Tells `onProgress` the part of a trial that is done while it trains. */
export const followed =
  (onProgress?: (part: number) => void) =>
  (event: TrainEvent): void => {
    if (event.kind === 'step') onProgress?.(trainingFrom + (trainingTo - trainingFrom) * event.progress)
    if (event.kind === 'decode' || event.kind === 'label') {
      onProgress?.(trainingFrom * (event.total === 0 ? 0 : event.done / event.total))
    }
  }

/** Part of a trial that is done while what it trained is measured. @param part of measuring, 0 to 1 */
export const measuringPart = (part: number): number => trainingTo + (1 - trainingTo) * part
