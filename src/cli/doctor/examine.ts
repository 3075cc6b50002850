import type { Finding } from './finding.ts'
import { examinePictures, examineRuntime, examineVideo } from './libraries.ts'
import { examineMachine } from './machine.ts'

/** Everything that pantin needs of the machine, one after the other. */
export async function examine(): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const part of [examineMachine, examineRuntime, examinePictures, examineVideo])
    findings.push(...(await part()))
  return findings
}
