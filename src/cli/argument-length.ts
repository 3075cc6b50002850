import { InputError } from '../util/errors.ts'

/**
 * Bytes that a process's arguments may have. onnxruntime-node 1.30 reads them when its first session opens, and ends the
 * process with a segmentation fault where they have 32,000 or more on Linux.
 */
const mostBytes = 30_000

/** Refuses what would crash ONNX Runtime later, as a shell's `*.mp4` of a large folder does. @throws InputError */
export function assertBearable(args: readonly string[]): void {
  const bytes = args.reduce((sum, arg) => sum + Buffer.byteLength(arg) + 1, 0)
  if (bytes <= mostBytes) return
  throw new InputError({
    what: 'the command line is too long for ONNX Runtime, which would crash',
    got: `${bytes} bytes`,
    expected: `at most ${mostBytes}`,
    remedy: 'name a folder in place of its videos, or puppet:1..200 in place of puppets',
  })
}
