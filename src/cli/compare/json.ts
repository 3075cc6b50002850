import type { Comparison } from '../../compress/comparison.ts'

/** A comparison as `--json` prints it: without diagrams, and with layers only where they are asked for. */
export function comparisonJson(found: Comparison, options: { readonly layers: boolean }): object {
  return {
    ...found,
    rows: found.rows.map(({ diagram: _, layers, ...row }) => (options.layers ? { ...row, layers } : row)),
  }
}
