import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { assertWritableTarget, writeFileAtomic } from '../files/atomic.ts'
import { makeFolder } from '../files/make-folder.ts'
import { floats, sizeOf, type Tensor } from '../graph/tensor.ts'
import { defaultBudgetSeconds, type Latency, timeInTurn } from '../profile/latency.ts'
import { describeMachine, type Machine } from '../run/environment.ts'
import { createSession } from '../runtime/node.ts'
import type { Device, Session } from '../runtime/session.ts'
import { type DetectorForm, detectorForms, detectorFrameSize, detectorModels } from './detector-models.ts'

/** How fast keypoints are found: the published detector, the same rewritten, and a light one. */

/** How many times faster than published each is to be. */
const targets: Readonly<Record<DetectorForm, number>> = { published: 1, exact: 1.7, light: 10 }

export interface DetectorBenchRow {
  readonly form: DetectorForm
  readonly params: number
  readonly macs: number
  /** ONNX nodes. */
  readonly ops: number
  readonly latency: Latency
  /** Median of the published one over this one's. */
  readonly ratio: number
  readonly target: number
  readonly reached: boolean
  /** Of value and jacobian to the published detector's, where both compute the same. */
  readonly largestDifference: number | null
}

export interface DetectorBench {
  readonly machine: Machine
  readonly device: Device
  readonly threads: number | null
  readonly rounds: number
  readonly rows: readonly DetectorBenchRow[]
}

export interface DetectorBenchOptions {
  readonly device?: Device | 'auto'
  /** Threads within one op on the CPU (default: one for each core). */
  readonly threads?: number
  readonly rounds?: number
  /** Folder to leave the three graphs in, as `published.onnx`, `exact.onnx` and `light.onnx`. */
  readonly keep?: string
  readonly force?: boolean
  readonly signal?: AbortSignal
  onRun?(done: number, total: number): void
}

/**
 * Times the detectors in turn on one device.
 *
 * @throws InputError where a file of `keep` is there already, EnvironmentError where the device is not.
 */
export async function benchDetector(options: DetectorBenchOptions = {}): Promise<DetectorBench> {
  const { device = 'cpu', threads = availableParallelism(), keep, force = false, signal } = options
  const fileOf = (form: DetectorForm) => join(keep ?? '', `${form}.onnx`)
  if (keep !== undefined) {
    await makeFolder(keep)
    for (const form of detectorForms) await assertWritableTarget(fileOf(form), { force })
  }

  const models = await detectorModels()
  const sessions: Session[] = []
  try {
    for (const { onnx } of models) sessions.push(await createSession(onnx, { device, threads }))
    const feeds = { frame: testFrame() }
    const found: Record<string, Tensor>[] = []
    for (const session of sessions) found.push(await session.run(feeds))
    const { rounds, latencies } = await timeInTurn(
      sessions.map((session) => ({ run: () => session.run(feeds) })),
      {
        budgetSeconds: defaultBudgetSeconds,
        ...(options.rounds !== undefined && { rounds: options.rounds }),
        ...(signal && { signal }),
        ...(options.onRun && { onRun: options.onRun }),
      },
    )
    if (keep !== undefined) {
      for (const { form, onnx } of models) await writeFileAtomic(fileOf(form), onnx)
    }
    const on = sessions[0]!.device
    return {
      machine: describeMachine(),
      device: on,
      threads: on === 'cpu' ? threads : null,
      rounds,
      rows: models.map(({ form, params, macs, ops }, i) => {
        const ratio = latencies[0]!.median / latencies[i]!.median
        const target = targets[form]
        return {
          form,
          params,
          macs,
          ops,
          latency: latencies[i]!,
          ratio,
          target,
          reached: ratio >= target,
          largestDifference: form === 'light' ? null : largestDifference(found[0]!, found[i]!),
        }
      }),
    }
  } finally {
    for (const session of sessions) await session.close()
  }
}

function testFrame(): Tensor<'float32'> {
  const shape = [1, 3, detectorFrameSize, detectorFrameSize]
  return floats(
    Array.from({ length: sizeOf(shape) }, (_, i) => 0.5 + 0.5 * Math.sin(0.37 * i)),
    shape,
  )
}

function largestDifference(a: Readonly<Record<string, Tensor>>, b: Readonly<Record<string, Tensor>>): number {
  const differences = Object.entries(a).flatMap(([name, { data }]) =>
    Array.from(data as Float32Array, (value, i) => Math.abs(value - Number(b[name]!.data[i]))),
  )
  return Math.max(...differences)
}
