import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** How much native memory may wait for the garbage collector before it is called. */
const allowance = 24 << 20

/** What a decoded frame takes beside its pixels, about: measured on an hour of 64x64. */
const overhead = 16 << 10

let waiting = 0
let collect: (() => void) | undefined

/**
 * Says that closed video frames of this many bytes each (default: one) wait to be freed. The codec library frees a frame's
 * memory when its JavaScript object is collected, not when it is closed, and V8 does not know how large the
 * frame is: without a word from us, a clip of 1,000 frames would grow the process by hundreds of megabytes.
 */
export function frameClosed(bytes: number, frames = 1): void {
  waiting += frames * (bytes + overhead)
  if (waiting < allowance) return
  waiting = 0
  collect ??= collector()
  collect()
}

/** V8's own collector, which scripts get only by this flag. */
function collector(): () => void {
  setFlagsFromString('--expose_gc')
  return runInNewContext('gc') as () => void
}
