/**
 * pantin in a page: live keypoints, animation and training in the browser. What computes runs in workers.
 * These are the public names of `pantin/web`.
 */
export type * from './types.ts'
