/** Numbers and tables as people read them. */

/** `1,008`. */
export const formatCount = (value: number): string => Math.round(value).toLocaleString('en-US')

/** `87.4 M`: three digits and a decimal prefix, for counts that nobody reads to the last digit. */
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
 * Columns of equal width, two spaces apart. Cells that are numbers, or begin like one, stand at the right.
 *
 * @param head printed above, with a line under it; left out where the columns explain themselves.
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
