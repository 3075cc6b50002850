import type { AccuracyKind, ComparedRow, Comparison } from '../../compress/comparison.ts'
import { formatCount, formatScaled } from '../format.ts'
import { escaped } from './html.ts'
import { rowDetails } from './page-details.ts'
import { costNames, milliseconds } from './text.ts'

/** The table that opens: a row for each network, and under each, hidden at first, all that is known of it. */

interface Column {
  readonly key: string
  readonly head: string
  /** Said under the head, in small. */
  readonly unit?: string
  readonly text: (row: ComparedRow) => string
  /** What is sorted by; texts are sorted after the numbers. */
  readonly value: (row: ComparedRow) => number | string
}

const timing: readonly Column[] = [
  {
    key: 'median',
    head: 'Latency',
    unit: 'ms, median',
    text: ({ latency }) => (latency ? milliseconds(latency.median) : ''),
    value: ({ latency }) => latency?.median ?? '',
  },
  {
    key: 'min',
    head: 'Least',
    unit: 'ms',
    text: ({ latency }) => (latency ? milliseconds(latency.min) : ''),
    value: ({ latency }) => latency?.min ?? '',
  },
  {
    key: 'spread',
    head: 'Middle half',
    unit: 'ms',
    text: ({ latency }) => (latency ? latency.quartiles.map(milliseconds).join('–') : ''),
    value: ({ latency }) => (latency ? latency.quartiles[1] - latency.quartiles[0] : ''),
  },
  {
    key: 'pareto',
    head: 'On the front',
    unit: 'of latency and …',
    text: ({ pareto }) => pareto.map((cost) => costNames[cost]).join(', '),
    value: ({ pareto }) => -pareto.length,
  },
]

const counts: readonly Column[] = [
  {
    key: 'params',
    head: 'Parameters',
    text: ({ params }) => formatScaled(params),
    value: ({ params }) => params,
  },
  { key: 'macs', head: 'MACs', text: ({ macs }) => formatScaled(macs), value: ({ macs }) => macs },
  {
    key: 'activations',
    head: 'Activations',
    unit: 'bytes',
    text: ({ activationBytes }) => formatScaled(activationBytes),
    value: ({ activationBytes }) => activationBytes,
  },
  {
    key: 'field',
    head: 'Sees',
    unit: 'pixels',
    text: ({ receptiveField }) => formatCount(receptiveField),
    value: ({ receptiveField }) => receptiveField,
  },
  { key: 'ops', head: 'Nodes', unit: 'ONNX', text: ({ ops }) => formatCount(ops), value: ({ ops }) => ops },
  {
    key: 'stride',
    head: 'Stride',
    text: ({ outputStride }) => String(outputStride),
    value: ({ outputStride }) => outputStride,
  },
  {
    key: 'skips',
    head: 'Skips',
    text: ({ skipKind }) => skipKind.replace('pooling ', ''),
    value: ({ skipKind }) => skipKind,
  },
]

const accuracyColumn = ({ label, better }: AccuracyKind): Column => ({
  key: 'accuracy',
  head: label,
  unit: `${better} is better`,
  text: ({ accuracy }) => (accuracy === null ? '' : String(Number(accuracy.toPrecision(4)))),
  value: ({ accuracy }) => accuracy ?? '',
})

/** What the address of a row ends with. */
export const rowId = ({ as, net }: ComparedRow): string => `${as}-${net}`

/** The table; the column that it is sorted by comes first. */
export function comparisonTable({ rows, device, accuracy }: Comparison): string {
  const timed = device !== null
  const columns = [...(timed ? timing : []), ...(accuracy ? [accuracyColumn(accuracy)] : []), ...counts]
  const sorted = timed ? 'median' : 'macs'
  return `<div class="scroll" tabindex="0" role="region" aria-label="Table of all networks">
<table id="networks">
<caption class="unseen">Networks and what they cost. Each row opens.</caption>
<thead><tr>${header({ key: 'name', head: 'Network' }, sorted)}${columns.map((column) => header(column, sorted)).join('')}</tr></thead>
${rows.map((row) => rowGroup(row, columns)).join('\n')}
</table>
</div>`
}

function header({ key, head, unit }: Pick<Column, 'key' | 'head' | 'unit'>, sorted: string): string {
  const sort = key === sorted ? ' aria-sort="ascending"' : ''
  const small = unit ? `<small>${escaped(unit)}</small>` : ''
  return `<th scope="col" data-key="${key}"${sort}><button type="button"><span>${escaped(head)}</span>${small}</button></th>`
}

function rowGroup(row: ComparedRow, columns: readonly Column[]): string {
  const id = escaped(rowId(row))
  const cells = columns.map((column) => {
    const best = column.key === 'median' && row.pareto.length > 0 ? ' class="best"' : ''
    return `<td data-value="${escaped(String(column.value(row)))}"${best}>${escaped(column.text(row))}</td>`
  })
  const tag = row.reconstruction ? '<span class="tag">reconstruction</span>' : ''
  return `<tbody id="${id}" data-as="${row.as}">
<tr><th scope="row" data-value="${escaped(row.net)}"><button type="button" aria-expanded="false" aria-controls="${id}-details">${escaped(row.title)}</button><span class="name">${escaped(row.net)}</span>${tag}</th>${cells.join('')}</tr>
<tr id="${id}-details" class="details" hidden><td colspan="${columns.length + 1}"><div class="inside">
${rowDetails(row)}
</div></td></tr>
</tbody>`
}
