/** Comma-separated values, RFC 4180. */

export type Cell = string | number | boolean | null

/** Records with the same keys as lines under a line of names; what is not known is empty. */
export function toCsv(records: readonly Readonly<Record<string, Cell>>[]): string {
  const names = Object.keys(records[0] ?? {})
  return [names, ...records.map((cells) => Object.values(cells))]
    .map((cells) => `${cells.map(quoted).join(',')}\r\n`)
    .join('')
}

/** Milliseconds to the microsecond: finer is noise. */
export const msCell = (value: number | undefined): number | null =>
  value === undefined ? null : Math.round(1000 * value) / 1000

function quoted(cell: Cell): string {
  const text = String(cell ?? '')
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
