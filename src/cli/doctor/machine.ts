import { statfs } from 'node:fs/promises'
import { freemem } from 'node:os'
import { describeMachine } from '../../run/environment.ts'
import { messageOf } from '../../util/errors.ts'
import type { Finding } from './finding.ts'

const leastNode = [20, 19] as const
const gigabyte = 1e9

/** Node, the processor, memory and the disk. */
export async function examineMachine(): Promise<Finding[]> {
  const { cpu, cores, memoryBytes, platform, arch, node } = describeMachine()
  const free = freemem()
  return [
    nodeFinding(node),
    { name: 'machine', status: 'ok', found: `${platform} ${arch}, ${cores} cores, ${cpu}` },
    free < gigabyte
      ? {
          name: 'memory',
          status: 'warn',
          found: memory(free, memoryBytes),
          remedy: 'close other programs, or take a smaller --batch',
        }
      : { name: 'memory', status: 'ok', found: memory(free, memoryBytes) },
    await diskFinding(),
  ]
}

function nodeFinding(version: string): Finding {
  const [major, minor] = version.split('.').map(Number) as [number, number]
  const enough = major > leastNode[0] || (major === leastNode[0] && minor >= leastNode[1])
  if (enough) return { name: 'node', status: 'ok', found: version }
  return {
    name: 'node',
    status: 'fail',
    found: version,
    remedy: `install Node ${leastNode.join('.')} or later`,
  }
}

const memory = (free: number, all: number) =>
  `${(free / gigabyte).toFixed(1)} GB free of ${(all / gigabyte).toFixed(1)} GB`

async function diskFinding(): Promise<Finding> {
  try {
    const { bavail, bsize } = await statfs('.')
    const free = bavail * bsize
    const found = `${(free / gigabyte).toFixed(1)} GB free in this folder`
    if (free >= gigabyte) return { name: 'disk', status: 'ok', found }
    return {
      name: 'disk',
      status: 'warn',
      found,
      remedy: 'a run takes about 50 MB, its frames as much again while it trains',
    }
  } catch (error) {
    return { name: 'disk', status: 'warn', found: `unknown: ${messageOf(error)}` }
  }
}
