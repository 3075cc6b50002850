#!/usr/bin/env node
// The program `pantin`: runs the command line, and turns errors into exit codes.
import { explain, printFailure } from './failure.ts'
import { allowClosedPipes, assertArgumentLength, leave, stopOnSignals } from './process.ts'
import { createProgram } from './program.ts'

allowClosedPipes()
const signal = stopOnSignals(() => {
  process.stderr.write('\npantin: stopping at the next safe point; press Ctrl-C again to stop at once\n')
})
// Work in native threads does not keep Node's event loop alive. This timer does, until the command is done.
const alive = setInterval(() => {}, 0x7fffffff)
try {
  assertArgumentLength(process.argv)
  await createProgram(signal).parseAsync()
} catch (error) {
  const failure = explain(error, signal.aborted)
  printFailure(failure, process.argv.includes('--json'))
  process.exitCode = failure.exitCode
} finally {
  clearInterval(alive)
}
await leave(Number(process.exitCode ?? 0))
