#!/usr/bin/env node
// The program `pantin`: runs the command line, and turns errors into exit codes.
import { keepAlive } from '../util/event-loop.ts'
import {
  allowClosedPipes,
  allowClosedTerminal,
  assertArgumentLength,
  explain,
  leave,
  printFailure,
  stopOnSignals,
} from './process.ts'
import { createProgram } from './program.ts'

allowClosedPipes()
allowClosedTerminal()
const signal = stopOnSignals(() => {
  process.stderr.write('\npantin: stopping at the next safe point; press Ctrl-C again to stop at once\n')
})
try {
  assertArgumentLength(process.argv)
  await keepAlive(createProgram(signal).parseAsync())
} catch (error) {
  const failure = explain(error, signal.aborted)
  printFailure(failure, process.argv.includes('--json'))
  process.exitCode = failure.exitCode
}
await leave(Number(process.exitCode ?? 0))
