// A comparison as one page that stands alone.
import { type ComparedRow, type Comparison, comparedAs } from '../study/comparison.ts'
import { version } from '../util/version.ts'
import { describeUnrest, headings } from './comparison-text.ts'
import { escaped } from './format.ts'
import { factList, kindChoice, machineFacts, plotLegend, standalonePage } from './html.ts'
import { comparisonTable, rowId } from './network-table.ts'
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
