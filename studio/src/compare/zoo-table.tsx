// The zoo as a table that is sorted by any column.
import { useSignal } from '@preact/signals'
import { digits, short } from '../core/format.ts'
import { chosen, errors, type Measure, type Row } from './facts.ts'

type Column = 'title' | 'year' | Measure

const columns: readonly { readonly key: Column; readonly label: string }[] = [
  { key: 'title', label: 'Network' },
  { key: 'year', label: 'Year' },
  { key: 'params', label: 'Params' },
  { key: 'macs', label: 'MACs' },
  { key: 'activationBytes', label: 'Memory' },
  { key: 'receptiveField', label: 'Sees' },
  { key: 'ms', label: 'ms' },
]
/** Shown if a study has measured networks. */
const errorColumn = { key: 'error', label: 'Error' } as const

/** The zoo, sortable by every column. */
export function ZooTable({ rows }: { readonly rows: readonly Row[] }) {
  const by = useSignal<Column>('title')
  const shown = errors.value === undefined ? columns : [...columns, errorColumn]
  const falls = useSignal(false)
  const sorted = [...rows].sort(
    (a, b) => (falls.value ? -1 : 1) * compare(a[by.value], b[by.value], falls.value),
  )
  const sort = (key: Column) => {
    falls.value = by.value === key && !falls.value
    by.value = key
  }
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reached by keys
    <section class="scroll zoo-box" tabIndex={0} aria-label="Networks, as a table that scrolls">
      <table class="zoo">
        <caption class="unseen">Keypoint detectors at 64 x 64, by network</caption>
        <thead>
          <tr>
            {shown.map(({ key, label }) => (
              <th
                key={key}
                scope="col"
                aria-sort={by.value === key ? (falls.value ? 'descending' : 'ascending') : undefined}
              >
                <button type="button" onClick={() => sort(key)}>
                  {label}
                  <span aria-hidden="true" class="arrow">
                    {by.value === key ? (falls.value ? '▼' : '▲') : ''}
                  </span>
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sorted.map((row) => (
            <tr key={row.name} class={row.name === chosen.value ? 'chosen' : ''}>
              <th scope="row">
                <button
                  type="button"
                  aria-pressed={row.name === chosen.value}
                  onClick={() => {
                    chosen.value = row.name
                  }}
                >
                  {row.title}
                  {row.reconstruction && <span title="Built from its paper alone">*</span>}
                </button>
              </th>
              <td>{row.year}</td>
              <td>{known(row.params, (params) => short(params))}</td>
              <td>{known(row.macs, (macs) => short(macs))}</td>
              <td>{known(row.activationBytes, (bytes) => short(bytes, 'B'))}</td>
              <td>{known(row.receptiveField, (side) => `${side} px`)}</td>
              <td>{known(row.ms, digits)}</td>
              {errors.value !== undefined && <td>{known(row.error, digits)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

const known = (value: number | undefined, text: (value: number) => string): string =>
  value === undefined ? '-' : text(value)

/** What is not known comes last, whichever way. */
function compare(a: string | number | undefined, b: string | number | undefined, falls: boolean): number {
  if (a === undefined || b === undefined) {
    return (falls ? -1 : 1) * (Number(a === undefined) - Number(b === undefined))
  }
  if (typeof a === 'string' || typeof b === 'string') return String(a).localeCompare(String(b))
  return a - b
}
