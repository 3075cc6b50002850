// Numbers, times and tables as people read them, text as HTML, and comma-separated values (RFC 4180). Reports, the command line and the studio share it.

/** `1,008`. */
export const formatCount = (value: number): string => Math.round(value).toLocaleString('en-US')

/** `87.4 M`: three digits and a decimal prefix, for counts whose last digits do not matter. */
export function formatScaled(value: number, unit = ''): string {
  const prefixes = ['', 'k', 'M', 'G', 'T']
  let scaled = value
  let index = 0
  while (scaled >= 999.5 && index < prefixes.length - 1) {
    scaled /= 1000
    index++
  }
  const digits = index === 0 ? String(Math.round(scaled)) : scaled.toPrecision(3)
  return `${digits} ${prefixes[index]}${unit}`.trimEnd()
}

/** `1 h 02 min`, `1 min 26 s`, `7 s`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const two = (value: number) => String(value).padStart(2, '0')
  if (hours > 0) return `${hours} h ${two(minutes)} min`
  return minutes > 0 ? `${minutes} min ${two(rest)} s` : `${rest} s`
}

/**
 * Columns of equal width, two spaces apart. Columns of numbers are aligned at the right.
 *
 * @param head printed above, with a line under it; left out if the columns explain themselves.
 */
export function table(rows: readonly (readonly string[])[], head?: readonly string[]): string {
  const all = head === undefined ? rows : [head, ...rows]
  const columns = Math.max(...all.map((row) => row.length))
  const widths = Array.from({ length: columns }, (_, i) =>
    Math.max(...all.map((row) => (row[i] ?? '').length)),
  )
  const right = widths.map(
    (_, i) => i > 0 && rows.every((row) => /^[-+]?\d[\d,.]*( ?[a-zA-Z%]+)?$|^$/.test(row[i] ?? '')),
  )
  const print = (row: readonly string[]) =>
    row
      .map((cell, i) => (right[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd()
  const lines = rows.map(print)
  if (head === undefined) return lines.join('\n')
  return [print(head), widths.map((width) => '─'.repeat(width)).join('  '), ...lines].join('\n')
}

/** `1.46`, three digits, for milliseconds. */
export const milliseconds = (value: number): string => value.toPrecision(value >= 100 ? 4 : 3)

/** `37%`. */
export const percent = (part: number, digits = 0): string => `${(100 * part).toFixed(digits)}%`

/** A coordinate in pixels: a tenth of a pixel is as fine as anyone sees. */
export const fixed = (value: number): string => String(Math.round(10 * value) / 10)

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text as it can stand in HTML and SVG, in content and in quoted attributes. */
export const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character]!)

/** A value of a table of comma-separated values. */
export type Cell = string | number | boolean | null

/** Records with the same keys as lines under a line of names. A value that is not known is empty. */
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
