import type { Gathered } from '../study/trials/gather.ts'
import { measureNames } from '../study/trials/measures.ts'
import type { TrainedComparison, TrainedRow } from '../study/trials/report.ts'
import { type Cell, msCell, toCsv } from './csv.ts'

/** Trained networks as CSV: one line for a network, a skip and a method; mean and deviation over the seeds. */
export const trainedCsv = (found: TrainedComparison): string =>
  toCsv(found.rows.flatMap((row) => row.results.map((result) => record(row, result, found))))

function record(row: TrainedRow, result: Gathered, found: TrainedComparison): Readonly<Record<string, Cell>> {
  const { settings, seeds } = found.plan
  const measures = measureNames.flatMap((name): [string, Cell][] => {
    const spread = result.measures[name]
    return [
      [name, spread?.mean ?? null],
      [`${name}Deviation`, spread?.deviation ?? null],
    ]
  })
  return {
    net: row.net,
    skip: row.skip,
    sameAsSkip: row.alike.join(' '),
    method: result.method,
    title: row.title,
    year: row.year,
    reconstruction: row.reconstruction,
    seeds: seeds.length,
    done: result.n,
    failed: result.failed,
    frames: result.frames,
    params: row.params,
    macs: row.macs,
    activationBytes: row.activationBytes,
    ops: row.ops,
    medianMs: msCell(row.latency?.median),
    lowerQuartileMs: msCell(row.latency?.quartiles[0]),
    upperQuartileMs: msCell(row.latency?.quartiles[1]),
    ...Object.fromEntries(measures),
    budgetSteps: settings.steps ?? null,
    budgetMinutes: settings.minutes ?? null,
    batch: settings.batch,
    size: settings.size,
    keypoints: settings.keypoints,
    device: found.device,
    threads: found.threads,
    cpu: found.machine.cpu,
  }
}
