import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readSafetensors } from '../../src/formats/safetensors/safetensors.ts'
import { distil, type TrainedRun, train } from '../../src/train/train.ts'
import { tinyModel } from './tiny.ts'

/**
 * The same seed gives the same weights, bit for bit, as it did before: for the kinds of machine whose hashes
 * bits.json has. Rounding depends on the kernels of ONNX Runtime, and these on its version and the processor's
 * instructions. The teacher of a student computes on as many threads as PANTIN_THREADS says, which vitest.config.ts sets to
 * one, because the number of threads changes the rounding. To add the kind of this machine, check out a commit that is known to be right, and run
 * `PANTIN_WRITE_BITS=1 npx vitest run test/train/bits.test.ts`. A change that is meant to change weights says so, and
 * writes the hashes again.
 */

type Hashes = Readonly<Record<string, string>>

const path = new URL('bits.json', import.meta.url)
const known = JSON.parse(readFileSync(path, 'utf8')) as Readonly<Record<string, Hashes>>
const writes = process.env.PANTIN_WRITE_BITS === '1'
const machine = machineKind()
const isKnown = machine !== undefined && machine in known
const reason = isKnown || writes ? '' : `: skipped, there are no hashes for ${machine ?? 'this processor'}`

/** Kind of machine: system, processor, ONNX Runtime, and Node, whose mathematical functions draw warps and puppets. */
function machineKind(): string | undefined {
  const read = (file: string | URL) => {
    try {
      return readFileSync(file, 'utf8')
    } catch {
      return ''
    }
  }
  const runtime = read(new URL('../../node_modules/onnxruntime-node/package.json', import.meta.url))
  const { version } = JSON.parse(runtime) as { version: string }
  const instructions =
    process.platform === 'linux'
      ? ['avx512f', 'avx2', 'asimd'].find((name) =>
          new RegExp(`^(flags|Features)\\b.*\\b${name}\\b`, 'm').test(read('/proc/cpuinfo')),
        )
      : process.arch
  const node = process.versions.node.split('.')[0]
  return instructions && `${process.platform} ${instructions}, onnxruntime ${version}, node ${node}`
}

describe.skipIf(!isKnown && !writes)(`weights of seeded runs, to the bit${reason}`, () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'pantin-bits-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  async function hashOf(run: TrainedRun): Promise<string> {
    const { tensors } = await readSafetensors(join(run.path, 'weights.safetensors'))
    const sum = createHash('sha256')
    for (const [name, { data }] of [...tensors].sort(([a], [b]) => (a < b ? -1 : 1))) {
      sum.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    }
    return sum.digest('hex').slice(0, 16)
  }

  test('are those of the reference, for train and for distil', async () => {
    const clips = ['puppet:3,frames=8,size=48', 'puppet:4,frames=6,size=40']
    const common = { device: 'cpu', threads: 1, seed: 7, batch: 2 } as const
    const teacher = await train(clips, {
      ...{ ...common, out: join(folder, 'train'), model: tinyModel(), steps: 3 },
      ...{ augment: { flip: true, colour: 0.3 }, scales: 2 },
      // Without what is known of puppets, as of other clips.
      losses: { flow: 0, occlusion: 0, landmarks: 0, openings: 0, nearPoints: 0 },
    })
    const all = {
      value: 1,
      distance: 10,
      jacobian: 1,
      heatmap: 1,
      divergence: 1,
      attention: 1,
      features: 1,
    }
    const student = await distil(clips, {
      ...{ ...common, out: join(folder, 'distil'), teacher: teacher.path, net: 'enet', steps: 2 },
      ...{ losses: all, soften: 2, variants: 1, mix: 0.5 },
    })
    const found = { train: await hashOf(teacher), distil: await hashOf(student) }
    if (writes) writeFileSync(path, `${JSON.stringify({ ...known, [machine!]: found }, null, 2)}\n`)
    else expect(found).toEqual(known[machine!])
  })
})
