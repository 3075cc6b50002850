/** For processes of their own, whose memory can be measured: opens checkpoint files and reads every tensor. */
import { openTorchFile } from '../../../src/formats/torch/torch-file.ts'
import { PantinError } from '../../../src/util/errors.ts'

/** How it went with many files. */
export interface Report {
  /** Files that were read, and that were refused with one of our errors. */
  read: number
  refused: number
  /** What else happened: errors that are not ours. */
  readonly wrong: string[]
  /** The longest processor time that one file took: wall time would depend on what else the machine does. */
  seconds: number
  slowest: string
  /** Memory of the process at most, beyond what it had before the first of these files. */
  extraBytes: number
}

/** Counts from here on. One file should have been opened before, so that all code is loaded. */
export class Attempts {
  private readonly before = process.memoryUsage.rss()
  private readonly counts = { read: 0, refused: 0, wrong: [] as string[], seconds: 0, slowest: '' }

  /** Opens a file and reads each of its tensors once. */
  async add(name: string, path: string): Promise<void> {
    const { counts } = this
    const start = process.cpuUsage()
    try {
      await readAll(path)
      counts.read++
    } catch (error) {
      if (error instanceof PantinError) counts.refused++
      else counts.wrong.push(`${name}: ${error instanceof Error ? error.stack : String(error)}`)
    }
    const { user, system } = process.cpuUsage(start)
    const seconds = (user + system) / 1e6
    if (seconds > counts.seconds) Object.assign(counts, { seconds, slowest: name })
  }

  report(): Report {
    return { ...this.counts, extraBytes: process.resourceUsage().maxRSS * 1024 - this.before }
  }
}

export async function readAll(path: string): Promise<void> {
  const file = await openTorchFile(path)
  try {
    for (const tensor of new Set([...file.states.values()].flatMap((state) => [...state.values()]))) {
      const { shape, data } = await tensor.read()
      if (data.length !== shape.reduce((size, axis) => size * axis, 1))
        throw new Error('a tensor of another size')
    }
  } finally {
    await file.close()
  }
}
