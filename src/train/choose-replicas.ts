// How many replicas take the steps of a run: as many as it asks for, one for each core, or the fastest number as measured.
import { createHash } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { cpus, homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { writeFileAtomic } from '../files/atomic.ts'
import { inputInfo } from '../graph/ops/leaf.ts'
import { liveNodes } from '../graph/rewrite.ts'
import { allocate, sizeOf, type Tensor, tensor } from '../graph/tensor.ts'
import { bestDevice } from '../runtime/devices.ts'
import { coresHere } from '../runtime/node.ts'
import type { Tensors } from '../runtime/session.ts'
import { InputError } from '../util/errors.ts'
import { Random } from '../util/random.ts'
import { version } from '../util/version.ts'
import { adamInputs } from './adam.ts'
import type { Settings } from './config.ts'
import { initialState, stateNames } from './state.ts'
import type { OpenStep, TrainingStep } from './step.ts'

/** Pairs of frames, or a student's frames, that a replica has at least if nobody says how many there are. */
const leastPart = 2

/** Where the fastest numbers are remembered: the folder of caches of the system. */
const memory = () => {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env
  const folder = XDG_CACHE_HOME || LOCALAPPDATA || join(homedir(), '.cache')
  return join(folder, 'pantin', 'replicas.json')
}

/** What the choice is measured with. */
export interface Measuring {
  /** The step of a part of the batch, as the run takes it. */
  step(batch: number): TrainingStep
  /** Opens steps by a number of replicas. */
  openStep(replicas: number): OpenStep
}

/**
 * The number of replicas of a new run. Each has one equal part of the batch.
 *
 * @param settings of the run; `replicas` undefined stands for one for each core, as far as each has two pairs
 * @throws InputError if the batch has no such parts, or the device is none that has replicas.
 */
export async function chooseReplicas(settings: Settings, measuring: Measuring): Promise<number> {
  const { replicas, batch, threads } = settings
  const device = settings.device === 'auto' ? await bestDevice() : settings.device
  if (typeof replicas === 'number') {
    if (replicas === 1 || (batch % replicas === 0 && device === 'cpu')) return replicas
    throw new InputError({
      what: `a batch of ${batch} cannot be trained by ${replicas} replicas on ${device}`,
      expected: 'a batch that has as many equal parts, and the device cpu',
      remedy: `choose a --batch that ${replicas} divides, or other --replicas`,
    })
  }
  if (device !== 'cpu') return 1
  const possible = divisors(batch).filter((n) => n <= coresHere() && (n === 1 || batch / n >= leastPart))
  // Somebody who says how many threads an op has, and nothing of replicas, means one session.
  if (replicas === undefined) return threads === undefined ? possible.at(-1)! : 1
  return fastest(possible, settings, measuring)
}

/** The fastest number, as measured here before, or now. */
async function fastest(
  possible: readonly number[],
  settings: Settings,
  measuring: Measuring,
): Promise<number> {
  const { adam, batch } = settings
  const key = keyOf(measuring.step(batch), possible)
  const known = await remembered()
  if (possible.includes(known[key] ?? 0)) return known[key]!
  let [best, least] = [1, Number.POSITIVE_INFINITY]
  for (const replicas of possible) {
    const step = measuring.step(batch / replicas)
    const random = new Random(1)
    const runner = await measuring.openStep(replicas)(step, adam, initialState(step, random))
    try {
      const batches = Array.from({ length: replicas }, () => anyBatch(step, random))
      // The first step gets memory. Of the others the quickest is the least disturbed.
      for (let i = 0; i < 4; i++) {
        const began = performance.now()
        await runner.run(i + 1, 1e-4, batches)
        const took = performance.now() - began
        if (i > 0 && took < least) [best, least] = [replicas, took]
      }
    } finally {
      await runner.close()
    }
  }
  await remember({ ...known, [key]: best })
  return best
}

/** What decides the speed: machine, version, and the step's graph. */
function keyOf({ graph }: TrainingStep, possible: readonly number[]): string {
  const ops = Array.from(liveNodes(graph), ({ op, outputs }) => [op.name, outputs.map(({ shape }) => shape)])
  const facts = [version, cpus()[0]?.model, coresHere(), possible, ops]
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 16)
}

/** A batch of noise: the time of a step does not depend on what it sees. */
function anyBatch(step: TrainingStep, random: Random): Tensors {
  const state = new Set<string>([...stateNames, ...Object.values(adamInputs)])
  const inputs = liveNodes(step.graph).flatMap((node) => {
    const info = inputInfo(node)
    return info === undefined || state.has(info.name) ? [] : [info]
  })
  return Object.fromEntries(
    inputs.map(({ name, dtype, shape }) => {
      const data = allocate(dtype, sizeOf(shape))
      for (let i = 0; i < data.length; i++) {
        if (dtype === 'float32') data[i] = random.uniform()
        else if (dtype === 'uint8') data[i] = random.integer(256)
      }
      const noise: Tensor = tensor(dtype, shape, data)
      return [name, noise]
    }),
  )
}

const divisors = (n: number) => Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0)

/** What was measured before; nothing if nothing usable is there. */
async function remembered(): Promise<Readonly<Record<string, number>>> {
  try {
    const found: unknown = JSON.parse(await readFile(memory(), 'utf8'))
    const entries = Object.entries(found ?? {}).filter(([, value]) => Number.isSafeInteger(value))
    return Object.fromEntries(entries)
  } catch {
    return {}
  }
}

/** Without a place for it, the next run measures again. */
async function remember(numbers: Readonly<Record<string, number>>): Promise<void> {
  try {
    await mkdir(dirname(memory()), { recursive: true })
    await writeFileAtomic(memory(), `${JSON.stringify(numbers)}\n`)
  } catch {}
}
