// Tables and numbers of the generated pages.

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n')
}

export const whole = (n: number) => n.toLocaleString('en-US')

/** With a unit's prefix and four digits: 87.42 M. */
export function scaled(n: number): string {
  const [unit, size] = n >= 1e9 ? ['G', 1e9] : n >= 1e6 ? ['M', 1e6] : n >= 1e3 ? ['k', 1e3] : ['', 1]
  return `${Number((n / size).toPrecision(4))} ${unit}`.trim()
}

/** The remark that every generated page bears. */
export const generated =
  '<!-- Made from the code by `npm run docs`. Edit the comments there, not this page. -->'
