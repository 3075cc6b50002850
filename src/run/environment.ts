import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os'

/** The machine that a run was made on, so that its times and rates can be judged later. */
export interface Machine {
  /** ISO 8601, UTC. */
  readonly time: string
  readonly node: string
  readonly platform: string
  readonly arch: string
  readonly os: string
  readonly cpu: string
  /** Cores that this process may use. */
  readonly cores: number
  readonly memoryBytes: number
}

export function describeMachine(): Machine {
  return {
    time: new Date().toISOString(),
    node: process.versions.node,
    platform: platform(),
    arch: arch(),
    os: release(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
  }
}
