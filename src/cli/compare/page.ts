import { createHash } from 'node:crypto'
import { type Comparison, comparedAs } from '../../compress/comparison.ts'
import { version } from '../../util/version.ts'
import { escaped } from './html.ts'
import { plots } from './page-plots.ts'
import { comparisonTable } from './page-table.ts'
import { script } from './script.ts'
import { style } from './style.ts'
import { describeUnrest, headings } from './text.ts'

/** A comparison as one page that stands alone: it loads nothing, and its policy allows it nothing else. */
export function comparisonPage(found: Comparison): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="pantin ${escaped(version)}">
<title>pantin: networks compared</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<main>
<h1>Networks compared</h1>
${lead(found)}
${machine(found)}
${unrest(found)}
${kinds(found)}
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
<footer>pantin ${escaped(version)}, <code>pantin compare</code>. ${escaped(found.machine.time.slice(0, 10))}.</footer>
</main>
<script>${script}</script>
</body>
</html>
`
}

const hashOf = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

const policy = [
  "default-src 'none'",
  `style-src ${hashOf(style)}`,
  `script-src ${hashOf(script)}`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

function lead({ rows, input, outputs }: Comparison): string {
  const count = new Set(rows.map(({ net }) => net)).size
  const forms = comparedAs.filter((as) => rows.some((row) => row.as === as)).map((as) => headings[as])
  const networks = count === 1 ? 'One network' : `${count} networks`
  return `<p class="lead">${networks} for motion driving, as ${forms.join(' and as ')}: what each costs on one picture of
${input.join(' x ')} with ${outputs} outputs.</p>`
}

function machine(found: Comparison): string {
  const { machine, device, threads, rounds, detector } = found
  const facts: [string, string][] = [
    ...(device === null
      ? []
      : ([
          ['processor', `${machine.cpu}, ${machine.cores} cores`],
          ['computed on', device === 'cpu' ? `CPU, ${threads} thread${threads === 1 ? '' : 's'}` : device],
          ['runtime', `ONNX Runtime ${machine.onnxruntime}, Node ${machine.node}`],
          ['system', `${machine.platform} ${machine.arch}`],
          ['timed runs of each', String(rounds)],
        ] satisfies [string, string][])),
    ...(detector === null
      ? []
      : ([['detectors', `${detector.head} head, skip ${detector.skip}`]] satisfies [string, string][])),
    ['dilations', found.dilations === 'clipped' ? 'clipped to the map' : 'as published'],
  ]
  return `<dl class="machine">${facts
    .map(([term, text]) => `<div><dt>${escaped(term)}</dt><dd>${escaped(text)}</dd></div>`)
    .join('')}</dl>`
}

function unrest(found: Comparison): string {
  const said = describeUnrest(found)
  return said === undefined ? '' : `<p class="busy" role="note">${escaped(said)}</p>`
}

/** The choice between plain networks and detectors, where there are both. */
function kinds({ rows }: Comparison): string {
  const there = comparedAs.filter((as) => rows.some((row) => row.as === as))
  if (there.length < 2) return ''
  const choices = there.map(
    (as, i) =>
      `<label><input type="radio" name="kind" value="${as}"${i === 0 ? ' checked' : ''}>${headings[as]}</label>`,
  )
  return `<div class="kinds" role="radiogroup" aria-label="What to show">${choices.join('')}</div>`
}

function legend({ rows, device }: Comparison): string {
  const sign = (shapes: string) => `<svg class="plot" viewBox="0 0 24 14" aria-hidden="true">${shapes}</svg>`
  const entries = [
    [
      `<g class="best"><path class="front" d="M0 7H24"/><circle cx="12" cy="7" r="4.5"/></g>`,
      'no other is better in both',
    ],
    [`<circle cx="12" cy="7" r="4.5"/>`, 'another is better in both'],
    ...(rows.some(({ reconstruction }) => reconstruction)
      ? [[`<g class="hollow"><circle cx="12" cy="7" r="4.5"/></g>`, 'reconstruction: no code was published']]
      : []),
    ...(device === null ? [] : [[`<path class="spread" d="M12 0V14"/>`, 'middle half of the runs']]),
  ]
  return `<ul class="legend">${entries.map(([shapes, text]) => `<li>${sign(shapes!)}${text}</li>`).join('')}</ul>`
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
