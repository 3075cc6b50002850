// A comparison as one page that stands alone, and its table of networks, which the page of a study has too.
import { type AccuracyKind, type ComparedRow, type Comparison, comparedAs } from '../study/candidates.ts'
import { version } from '../util/version.ts'
import { costNames, describeUnrest, headings, layerCells, layerHead } from './comparison-text.ts'
import { escaped, formatCount, formatScaled, milliseconds } from './format.ts'
import { factList, kindChoice, machineFacts, plainTable, plotLegend, standalonePage } from './html.ts'
import { diagramSvg } from './network-diagram.ts'
import { type CostRow, latencyAxis, macsAxis, type PlotAxis, paramsAxis, plotFigure } from './pareto-plot.ts'

/** A comparison as one page that stands alone. */
export function comparisonPage(found: Comparison): string {
  return standalonePage(
    'Networks compared',
    `${lead(found)}
${machine(found)}
${unrest(found)}
${kindChoice(comparedAs.filter((as) => found.rows.some((row) => row.as === as)).map((as) => [as, headings[as]]))}
<h2>${found.device === null ? 'Parameters and work' : 'Speed and size'}</h2>
${legend(found)}
<div class="plots">
${plots(found)}
</div>
<h2>Every network</h2>
<p>A row opens to show the network's diagram, its source and its layers. A click on a column's head sorts.</p>
${comparisonTable(found)}
${leftOut(found)}
<h2>How this was measured</h2>
${method(found)}
<footer>pantin ${escaped(version)}, <code>pantin compare</code>. ${escaped(found.machine.time.slice(0, 10))}.</footer>`,
  )
}

function lead({ rows, input, outputs }: Comparison): string {
  const count = new Set(rows.map(({ net }) => net)).size
  const forms = comparedAs.filter((as) => rows.some((row) => row.as === as)).map((as) => headings[as])
  const networks = count === 1 ? 'One network' : `${count} networks`
  return `<p class="lead">${networks} for motion driving, as ${forms.join(' and as ')}: what each costs on one picture of
${input.join(' x ')} with ${outputs} outputs.</p>`
}

function machine(found: Comparison): string {
  const { detector, dilations } = found
  return factList([
    ...machineFacts(found),
    ...(detector === null ? [] : [['detectors', `${detector.head} head, skip ${detector.skip}`] as const]),
    ['dilations', dilations === 'clipped' ? 'clipped to the map' : 'as published'],
  ])
}

function unrest(found: Comparison): string {
  const said = describeUnrest(found)
  return said === undefined ? '' : `<p class="busy" role="note">${escaped(said)}</p>`
}

function legend({ rows, device }: Comparison): string {
  return plotLegend({
    best: 'no other is better in both',
    other: 'another is better in both',
    hollow: rows.some(({ reconstruction }) => reconstruction),
    ...(device !== null && { spread: 'middle half of the runs' }),
  })
}

function leftOut({ skipped }: Comparison): string {
  if (skipped.length === 0) return ''
  const items = skipped.map(({ net, as, reason }) => `<li>${escaped(net)} as ${as}: ${escaped(reason)}</li>`)
  return `<p>Left out, since they do not take such pictures:</p><ul>${items.join('')}</ul>`
}

function method({ device, rounds, restMs, warmMs, seed }: Comparison): string {
  const timing =
    device === null
      ? 'Nothing was run: all figures are counts.'
      : `Latency is the time of one run on one picture, batch 1, from the call to the result. All were timed in
turn in one process, ${rounds} rounds in an order drawn anew for each (seed ${seed}), so that a drift of the machine meets all
alike; before each timed run came ${restMs} ms of rest and ${warmMs} ms of untimed runs of the same model. Weights are random numbers: the
time does not depend on them.`
  return `<p class="method">${timing}</p>
<p class="method">Parameters are trained numbers, as papers count them. Multiply-adds (MACs) are the products of
convolutions and matrix products. Activations are the bytes of all that is computed on the way, each result once. What a
network sees is the side of the square of pixels that one of its results depends on, by theory: it may be larger than the
picture. Axes of the plots are logarithmic.</p>`
}

/** Latency against parameters and against MACs, or these two against each other where nothing was timed. */
function plots({ rows, device }: Comparison): string {
  const pairs =
    device === null
      ? [[paramsAxis, macsAxis] as const]
      : ([paramsAxis, macsAxis].map((x) => [x, latencyAxis]) as [PlotAxis<CostRow>, PlotAxis<CostRow>][])
  return comparedAs
    .flatMap((as) => {
      const own = rows.filter((row) => row.as === as && row.macs > 0 && row.params > 0)
      const points = own.map((row) => ({
        ...{ row, name: row.net, href: `#${rowId(row)}`, hollow: row.reconstruction, about: row.title },
      }))
      const figures = pairs.map(([x, y]) =>
        plotFigure(points, {
          ...{ x, y, as, of: headings[as] },
          ...(y === latencyAxis && { spread: (row: ComparedRow) => row.latency?.quartiles }),
        }),
      )
      return own.length === 0 ? [] : figures
    })
    .join('\n')
}

export interface Column<R> {
  readonly key: string
  readonly head: string
  /** Said under the head, in small. */
  readonly unit?: string
  readonly text: (row: R) => string
  /** What is sorted by; texts are sorted after the numbers. */
  readonly value: (row: R) => number | string
  /** Of which rows it is; all, where undefined. */
  readonly as?: string
}

/** What every row has. */
export type TableRow = Omit<ComparedRow, 'as' | 'pareto' | 'accuracy'>

/** A row as it stands in the table. */
export interface Placed<R> {
  readonly row: R
  /** What its address ends with. */
  readonly id: string
  /** Which choice of the page shows it. */
  readonly as: string
  /** Said under its title. */
  readonly name: string
  readonly best: boolean
  /** HTML that is shown when it is opened, above all that is known of the network. */
  readonly inside?: string
}

export const latencyColumn: Column<Pick<TableRow, 'latency'>> = {
  key: 'median',
  head: 'Latency',
  unit: 'ms, median',
  text: ({ latency }) => (latency ? milliseconds(latency.median) : ''),
  value: ({ latency }) => latency?.median ?? '',
}

const timing: readonly Column<ComparedRow>[] = [
  latencyColumn,
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

export const countColumns: readonly Column<TableRow>[] = [
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

const accuracyColumn = ({ label, better }: AccuracyKind): Column<ComparedRow> => ({
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
  const columns = [...(timed ? timing : []), ...(accuracy ? [accuracyColumn(accuracy)] : []), ...countColumns]
  const placed = rows.map((row) => ({
    ...{ row, id: rowId(row), as: row.as, name: row.net },
    best: row.pareto.length > 0,
  }))
  return networkTable(placed, columns, timed ? 'median' : 'macs')
}

/** @param sorted key of the column that the rows are sorted by */
export function networkTable<R extends TableRow>(
  rows: readonly Placed<R>[],
  columns: readonly Column<R>[],
  sorted: string,
): string {
  const heads = [{ key: 'name', head: 'Network' }, ...columns]
  return `<div class="scroll" tabindex="0" role="region" aria-label="Table of all networks">
<table id="networks">
<caption class="unseen">Networks and what they cost. Each row opens.</caption>
<thead><tr>${heads.map((column) => header(column, sorted)).join('')}</tr></thead>
${rows.map((row) => rowGroup(row, columns)).join('\n')}
</table>
</div>`
}

const only = ({ as }: { readonly as?: string }) => (as === undefined ? '' : ` data-as="${as}"`)

function header(column: Pick<Column<never>, 'key' | 'head' | 'unit' | 'as'>, sorted: string): string {
  const { key, head, unit } = column
  const sort = key === sorted ? ' aria-sort="ascending"' : ''
  const small = unit ? `<small>${escaped(unit)}</small>` : ''
  return `<th scope="col" data-key="${key}"${sort}${only(column)}><button type="button"><span>${escaped(head)}</span>${small}</button></th>`
}

function rowGroup<R extends TableRow>(placed: Placed<R>, columns: readonly Column<R>[]): string {
  const { row, as, name, inside = '' } = placed
  const id = escaped(placed.id)
  const cells = columns.map((column) => {
    const best = column.key === 'median' && placed.best ? ' class="best"' : ''
    return `<td data-value="${escaped(String(column.value(row)))}"${best}${only(column)}>${escaped(column.text(row))}</td>`
  })
  const tag = row.reconstruction ? '<span class="tag">reconstruction</span>' : ''
  return `<tbody id="${id}" data-as="${as}">
<tr><th scope="row" data-value="${escaped(name)}"><button type="button" aria-expanded="false" aria-controls="${id}-details">${escaped(row.title)}</button><span class="name">${escaped(name)}</span>${tag}</th>${cells.join('')}</tr>
<tr id="${id}-details" class="details" hidden><td colspan="${columns.length + 1}"><div class="inside">
${inside}${rowDetails(row)}
</div></td></tr>
</tbody>`
}

/** All that is known of one network: source, picture, facts, layers. */
function rowDetails(row: TableRow): string {
  return `${source(row)}
<div class="scroll" tabindex="0" role="region" aria-label="Diagram of ${escaped(row.net)}">${diagramSvg(row.diagram, row.title)}</div>
<p class="key">From left to right: height is resolution, width is channels, darker means more of the
multiply-adds; arcs are maps that skip stages, dashed arcs pooling indices. Drawn from the graph itself.</p>
<dl class="facts">${facts(row)
    .map(([term, text]) => `<div><dt>${escaped(term)}</dt><dd>${escaped(text)}</dd></div>`)
    .join('')}</dl>
<details><summary>Layer by layer</summary>
${plainTable(`Layers of ${row.title}`, layerHead, layerCells(row))}
</details>`
}

function source({ title, paper, year, licence, reconstruction }: TableRow): string {
  const code = reconstruction
    ? '<strong class="tag">reconstruction</strong> No code was published: built from what the paper says, and the rest is inferred.'
    : licence === null
      ? ''
      : `Names and numbers follow published code (${escaped(licence)} licence).`
  return `<p class="source"><b>${escaped(title)}</b>: ${escaped(paper.authors)},
<a href="${escaped(webAddress(paper.url))}" rel="noopener noreferrer"><cite>${escaped(paper.title)}</cite></a>, ${year}. ${code}</p>`
}

/** Nothing but a web page may be linked to. */
const webAddress = (url: string) => (/^https?:\/\//.test(url) ? url : '#')

function facts(row: TableRow): [string, string][] {
  const unused =
    row.unusedParams === 0 ? '' : `, ${formatCount(row.unusedParams)} of them published but unused`
  return [
    ['parameters', `${formatCount(row.params)}${unused}`],
    ['multiply-adds', formatCount(row.macs)],
    ['activations', formatScaled(row.activationBytes, 'B')],
    ['receptive field', `${formatCount(row.receptiveField)} px`],
    ['ONNX nodes', formatCount(row.ops)],
    ['coarsest stride', String(row.outputStride)],
    ['from encoder to decoder', row.skipKind],
    ['dilations', dilations(row)],
  ]
}

/** For instance `clipped to the map: 9 to 4, 17 to 4`. */
function dilations({ dilations, clipped }: TableRow): string {
  if (dilations === 'published') return 'as published'
  if (clipped.length === 0) return 'as published; none is beyond its map'
  const pairs = clipped.map(({ published, used }) => `${published} to ${used}`)
  return `clipped to the map: ${[...new Set(pairs)].join(', ')}`
}
