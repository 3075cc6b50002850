import { readFileSync } from 'node:fs'

/**
 * The most memory that this process has held, in MiB. On Linux the number that the system gives for a process
 * begins with that of its parent, so the one of its own address space is read there.
 */
export function peakMemoryMiB(): number {
  const own = process.platform === 'linux' ? addressSpacePeak() : undefined
  return own ?? process.resourceUsage().maxRSS / 1024
}

function addressSpacePeak(): number | undefined {
  try {
    const found = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))
    return found === null ? undefined : Number(found[1]) / 1024
  } catch {
    return undefined
  }
}
