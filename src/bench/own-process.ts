import { fileURLToPath } from 'node:url'
import { type MachineRates, measureRates } from './machine-rates.ts'
import { runForJson } from './run-for-json.ts'
import { type StepTask, type StepTiming, timeSteps } from './step-timing.ts'

/** Work in a process of its own, so that memory is that of this work alone. This file is what the process runs. */

interface Tasks {
  timeSteps(task: StepTask): Promise<StepTiming>
  measureRates(task: { readonly threads: number }): Promise<MachineRates>
}
const tasks: Tasks = { timeSteps: (task) => timeSteps(task), measureRates }

const here = fileURLToPath(import.meta.url)

/**
 * Does a task in a new process.
 *
 * @throws EnvironmentError where the process fails. The signal's reason, where that ends it.
 */
export function inOwnProcess<N extends keyof Tasks>(
  name: N,
  task: Parameters<Tasks[N]>[0],
  signal?: AbortSignal,
): Promise<Awaited<ReturnType<Tasks[N]>>> {
  return runForJson(process.execPath, [here, name, JSON.stringify(task)], signal)
}

if (process.argv[1] === here) {
  // Work in native threads does not keep Node's event loop alive; this does.
  setInterval(() => {}, 0x7fffffff)
  const [name, task] = process.argv.slice(2) as [keyof Tasks, string]
  const found = await tasks[name](JSON.parse(task))
  process.stdout.write(JSON.stringify(found), () => process.exit(0))
}
