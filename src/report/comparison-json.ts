import type { Comparison } from '../study/comparison.ts'
import type { TrainedComparison } from '../study/trials/report.ts'

/** A comparison as `--json` prints it: without diagrams, and with layers only where they are asked for. */
export function comparisonJson(found: Comparison, options: { readonly layers: boolean }): object {
  return {
    ...found,
    rows: found.rows.map(({ diagram: _, layers, ...row }) => (options.layers ? { ...row, layers } : row)),
  }
}

/** The same of trained networks: what was never done has the result null. */
export function trainedJson({ rows, trials, ...found }: TrainedComparison): object {
  return {
    ...found,
    trials: trials.map(({ result, ...rest }) => ({ ...rest, result: result ?? null })),
    rows: rows.map(({ diagram: _, layers: __, ...row }) => row),
  }
}
