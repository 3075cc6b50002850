#!/usr/bin/env node
import { assertBearable } from './argument-length.ts'
import { explain, printFailure } from './failure.ts'
import { allowClosedPipes, leave, stopOnSignals } from './process-events.ts'
import { createProgram } from './program.ts'

allowClosedPipes()
const signal = stopOnSignals(() => {
  process.stderr.write('\npantin: stopping at the next good point; press Ctrl-C again to stop at once\n')
})
// Work in native threads does not keep Node's event loop alive; this does, until all is done.
const alive = setInterval(() => {}, 0x7fffffff)
try {
  assertBearable(process.argv)
  await createProgram(signal).parseAsync()
} catch (error) {
  const failure = explain(error, signal.aborted)
  printFailure(failure, process.argv.includes('--json'))
  process.exitCode = failure.exitCode
} finally {
  clearInterval(alive)
}
await leave(Number(process.exitCode ?? 0))
