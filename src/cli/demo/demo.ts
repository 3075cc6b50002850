import type { Reporter } from '../reporter.ts'

export interface DemoOptions {
  readonly out: string
  readonly minutes: number
  readonly seed: number
  readonly force: boolean
  readonly signal: AbortSignal
  readonly reporter: Reporter
}

export async function demo(options: DemoOptions): Promise<{ summary: string }> {
  return { summary: options.out }
}
