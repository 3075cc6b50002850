/** What the outside does to the process: signals, and readers that go away. */

/** Exit codes by convention: 128 and the number of the signal. */
const signals = { SIGINT: 130, SIGTERM: 143 } as const

/**
 * The first Ctrl-C asks the work to stop, which it does at its next good point; the second ends the process.
 *
 * @param announce called at the first.
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

/** `pantin info lednet | head -1`: a reader that has read enough is no failure. */
export function allowClosedPipes(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  // Nobody watches the progress any more; the work goes on.
  process.stderr.on('error', () => {})
}

/** Ends the process once all that was printed is with its reader. Native threads may still be there. */
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
