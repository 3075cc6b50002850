// The tables of measures in docs/guide/evaluate.md, made from the table of measures.
import { findMeasure, labelOf, type Measure, measureNames } from '../../src/evaluate/measures.ts'

/** The guide with its tables of measures as the code says now. @throws if a table has no place in it */
export function withMeasureTables(guide: string): string {
  return (['pictures', 'keypoints'] as const).reduce((text, of) => {
    const place = new RegExp(
      `(<!-- measures of ${of}: begin -->\n)[\\s\\S]*?(<!-- measures of ${of}: end -->)`,
    )
    if (!place.test(text)) throw new Error(`the guide has no place for the measures of ${of}`)
    return text.replace(place, (_, begin: string, end: string) => `${begin}\n${measureTable(of)}\n\n${end}`)
  }, guide)
}

/** All measures of pictures, or of keypoints. */
function measureTable(of: Measure['of']): string {
  const measures = measureNames().flatMap((name) => findMeasure(name) ?? [])
  const rows = measures
    .filter((measure) => measure.of === of)
    .map(({ better, baseline, help = '', ...measure }) => [
      labelOf(measure),
      fieldsOf(measure.read),
      better,
      help,
      baseline === undefined ? '' : `${baseline.label}: ${fieldsOf(baseline.read)}`,
    ])
  const head = ['Measure', 'In `--json`', 'Better', 'Meaning', 'Beside it']
  return aligned([head, ...rows])
}

/** A table of words with columns of equal width, as the formatter writes it. */
function aligned([head = [], ...rows]: readonly (readonly string[])[]): string {
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((cells) => cells[i]!.length)))
  const rule = widths.map((width) => '-'.repeat(width))
  return [head, rule, ...rows]
    .map((cells) => `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`)
    .join('\n')
}

/** The fields of an evaluation that a measure reads. It reads an evaluation that notes the fields. */
function fieldsOf(read: Measure['read']): string {
  const seen: string[] = []
  const noting = (path: string): object =>
    new Proxy(() => {}, {
      get: (_, key) => {
        if (typeof key === 'symbol') return () => 1
        const field = path === '' ? key : `${path}.${key}`
        seen.push(field)
        return noting(field)
      },
    })
  Reflect.apply(read ?? (() => {}), undefined, [noting('')])
  const fields = seen.filter((field) => !seen.some((other) => other.startsWith(`${field}.`)))
  return fields.map((field) => `\`${field}\``).join(', ')
}
