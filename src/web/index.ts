/**
 * pantin in a page: live keypoints, animation and training in the browser. What computes runs in workers.
 * These are the public names of `pantin/web`; anything else may change without notice.
 */
export { Animator } from './animator.ts'
export { readClip } from './clip.ts'
export { listNetworks, profileNetwork, timeNetwork } from './networks.ts'
export { OneEuroFilter } from './one-euro.ts'
export { isPantinError } from './problems.ts'
export { createRecorder } from './recorder.ts'
export { type OpenRunOptions, openRun } from './run.ts'
export { storedRuns } from './stored-runs.ts'
export type * from './studio-api.ts'
export { Tracker, type WebModel } from './tracker.ts'
export { Trainer } from './trainer.ts'
export type * from './types.ts'
