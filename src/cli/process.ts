// The process and its surroundings: signals, closed pipes, the length of its arguments, and its end.
import { InputError } from '../util/errors.ts'

/** Exit codes by convention: 128 plus the number of the signal. */
const signals = { SIGINT: 130, SIGTERM: 143 } as const

/**
 * The first Ctrl-C asks the work to stop, which it does at its next safe point. The second ends the process.
 *
 * @param announce called at the first Ctrl-C
 */
export function stopOnSignals(announce: () => void): AbortSignal {
  const controller = new AbortController()
  for (const [name, code] of Object.entries(signals)) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(code)
      announce()
      controller.abort()
    })
  }
  return controller.signal
}

/** Ends the process without an error if a reader closes the pipe, as in `pantin info lednet | head -1`. */
export function allowClosedPipes(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  // If nobody reads the progress any more, the work continues.
  process.stderr.on('error', () => {})
}

/** Ends the process after all output has been read. Native threads may still be running. */
export async function leave(code: number): Promise<never> {
  await Promise.all([process.stdout, process.stderr].map(flushed))
  process.exit(code)
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || !stream.writable) resolve()
    else stream.write('', () => resolve())
  })
}

/**
 * Largest size of a process's arguments. onnxruntime-node 1.30 reads the arguments when its first session opens. On Linux
 * it ends the process with a segmentation fault if they have 32,000 bytes or more.
 */
const maxArgumentBytes = 30_000

/** Refuses arguments that would crash ONNX Runtime later, as the `*.mp4` of a large folder would. @throws InputError */
export function assertArgumentLength(args: readonly string[]): void {
  const bytes = args.reduce((sum, arg) => sum + Buffer.byteLength(arg) + 1, 0)
  if (bytes <= maxArgumentBytes) return
  throw new InputError({
    what: 'the command line is too long: ONNX Runtime would crash',
    got: `${bytes} bytes`,
    expected: `at most ${maxArgumentBytes}`,
    remedy: 'name a folder instead of its videos, or puppet:1..200 instead of single puppets',
  })
}
