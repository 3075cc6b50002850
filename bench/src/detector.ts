// The part `detector`: the published detector, the same rewritten exactly, and a light one, timed in turn.
import { join } from 'node:path'
import { assertWritableTarget, writeFileAtomic } from '../../src/files/atomic.ts'
import { makeFolder } from '../../src/files/folders.ts'
import { floats, sizeOf, type Tensor } from '../../src/graph/tensor.ts'
import { defaultBudgetSeconds, type Latency, timeInTurn } from '../../src/profile/latency.ts'
import { describeMachine, type Machine } from '../../src/run/config-file.ts'
import { coresHere, createSession } from '../../src/runtime/node.ts'
import type { Device, Session } from '../../src/runtime/session.ts'
import { type DetectorForm, detectorForms, detectorFrameSize, detectorModels } from './detector-models.ts'
import type { Figure } from './figure.ts'

/** Targets: how many times faster than the published detector. */
const targets: Readonly<Record<DetectorForm, number>> = { published: 1, exact: 1.7, light: 10 }

export interface DetectorBenchRow {
  readonly form: DetectorForm
  readonly params: number
  readonly macs: number
  /** ONNX nodes. */
  readonly ops: number
  readonly latency: Latency
  /** The published detector's median divided by this one's. */
  readonly ratio: number
  readonly target: number
  readonly reached: boolean
  /** Largest difference of value and jacobian to the published detector's; null for the light one, which computes others. */
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
  /** Folder for the three graphs: `published.onnx`, `exact.onnx` and `light.onnx`. */
  readonly keep?: string
  readonly force?: boolean
  readonly signal?: AbortSignal
  onRun?(done: number, total: number): void
}

/**
 * Times the detectors in turn on one device.
 *
 * @throws InputError if a file in `keep` exists already, EnvironmentError if the device is not there.
 */
export async function benchDetector(options: DetectorBenchOptions = {}): Promise<DetectorBench> {
  const { device = 'cpu', threads = coresHere(), keep, force = false, signal } = options
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

export interface DetectorFiguresOptions extends Pick<DetectorBenchOptions, 'rounds' | 'signal' | 'onRun'> {
  /** Numbers of threads to measure with (default: 1, and one for each core). */
  readonly threads?: readonly number[]
}

/** The exact and the light detector against the published one on the CPU, once for each number of threads. */
export async function detectorFigures(options: DetectorFiguresOptions = {}): Promise<Figure[]> {
  const { threads: counts = [...new Set([1, coresHere()])], ...rest } = options
  const figures: Figure[] = []
  for (const threads of counts) {
    figures.push(...figuresOfDetectors(await benchDetector({ ...rest, threads, device: 'cpu' }), threads))
  }
  return figures
}

/** The figures of one bench of the detectors on the CPU. */
export function figuresOfDetectors({ rows, rounds }: DetectorBench, threads: number): Figure[] {
  const [published, ...ours] = rows
  const count = `${threads}thread${threads === 1 ? '' : 's'}`
  return ours.map(({ form, latency, ratio, target }) => ({
    name: `detector.${form}.cpu.${count}`,
    value: latency.median,
    unit: 'ms',
    peer: { name: 'the published detector', value: published!.latency.median },
    ratio,
    target: { atLeast: target },
    how:
      `1x3x${detectorFrameSize}x${detectorFrameSize}, ${threads} thread${threads === 1 ? '' : 's'}, medians of ` +
      `${rounds} interleaved rounds; least ${latency.min.toPrecision(3)} against ` +
      `${published!.latency.min.toPrecision(3)} ms`,
  }))
}
