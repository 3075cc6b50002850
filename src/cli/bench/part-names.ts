/** The parts of the bench, each of which can be measured on its own. */

/** In the order in which they are measured: a process counts as its own memory what its parent held before. */
export const partNames = ['step', 'detector', 'real-time', 'browser', 'growth'] as const
export type PartName = (typeof partNames)[number]
