// HTML of the pages of comparisons and studies: tables, the frame of a page, its legend, script and style.
import { createHash } from 'node:crypto'
import type { Comparison } from '../study/candidates.ts'
import { version } from '../util/version.ts'
import { escaped } from './format.ts'

/** Table cells of a row, escaped, the first one as its head. */
export function tableRow([head, ...cells]: readonly string[]): string {
  const rest = cells.map((cell) => `<td>${escaped(cell)}</td>`).join('')
  return `<tr><th scope="row">${escaped(head ?? '')}</th>${rest}</tr>`
}

/** A table of texts, escaped, in a box that scrolls where it is too wide. @param caption read out, not shown. */
export function plainTable(
  caption: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const columns = head.map((cell) => `<th scope="col">${escaped(cell)}</th>`).join('')
  return `<div class="scroll" tabindex="0" role="region" aria-label="${escaped(caption)}"><table class="plain">
<caption class="unseen">${escaped(caption)}</caption>
<thead><tr>${columns}</tr></thead>
<tbody>${rows.map(tableRow).join('\n')}</tbody>
</table></div>`
}

/** A page that stands alone: it loads nothing, and its policy allows it nothing else. @param body HTML */
export const standalonePage = (title: string, body: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="pantin ${escaped(version)}">
<title>pantin: ${escaped(title.charAt(0).toLowerCase() + title.slice(1))}</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<main>
<h1>${escaped(title)}</h1>
${body}
</main>
<script>${script}</script>
</body>
</html>
`

const hashOf = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

type Fact = readonly [term: string, text: string]

export const factList = (facts: readonly Fact[]): string =>
  `<dl class="machine">${facts
    .map(([term, text]) => `<div><dt>${escaped(term)}</dt><dd>${escaped(text)}</dd></div>`)
    .join('')}</dl>`

/** What latency was measured on; nothing where it was not. */
export function machineFacts({
  machine,
  device,
  threads,
  rounds,
}: Pick<Comparison, 'machine' | 'device' | 'threads' | 'rounds'>): Fact[] {
  if (device === null) return []
  return [
    ['processor', `${machine.cpu}, ${machine.cores} cores`],
    ['computed on', device === 'cpu' ? `CPU, ${threads} thread${threads === 1 ? '' : 's'}` : device],
    ['runtime', `ONNX Runtime ${machine.onnxruntime}, Node ${machine.node}`],
    ['system', `${machine.platform} ${machine.arch}`],
    ['timed runs of each', String(rounds)],
  ]
}

/** The choice between parts of the page, by their `data-as`, where there are several. The first is shown at first. */
export function kindChoice(kinds: readonly (readonly [as: string, title: string])[]): string {
  if (kinds.length < 2) return ''
  const choices = kinds.map(
    ([as, title], i) =>
      `<label><input type="radio" name="kind" value="${as}"${i === 0 ? ' checked' : ''}>${escaped(title)}</label>`,
  )
  return `<div class="kinds" role="radiogroup" aria-label="What to show">${choices.join('')}</div>`
}

export interface LegendOptions {
  /** What the coloured points are, and the others. */
  readonly best: string
  readonly other: string
  /** Whether there are reconstructions. */
  readonly hollow: boolean
  /** What the bars are; none where undefined. */
  readonly spread?: string
}

export function plotLegend({ best, other, hollow, spread }: LegendOptions): string {
  const sign = (shapes: string) => `<svg class="plot" viewBox="0 0 24 14" aria-hidden="true">${shapes}</svg>`
  const entries: Fact[] = [
    [`<g class="best"><path class="front" d="M0 7H24"/><circle cx="12" cy="7" r="4.5"/></g>`, best],
    [`<circle cx="12" cy="7" r="4.5"/>`, other],
    ...(hollow
      ? [
          [
            `<g class="hollow"><circle cx="12" cy="7" r="4.5"/></g>`,
            'reconstruction: no code was published',
          ] as const,
        ]
      : []),
    ...(spread === undefined ? [] : [[`<path class="spread" d="M12 0V14"/>`, spread] as const]),
  ]
  return `<ul class="legend">${entries.map(([shapes, text]) => `<li>${sign(shapes)}${escaped(text)}</li>`).join('')}</ul>`
}

/** The page's style: paper and ink by day, lamp light by night. No fonts or files from elsewhere. */
const style = `
:root {
  color-scheme: light dark;
  --paper: #faf6ed; --card: #fffdf8; --ink: #2a2520; --soft: #6d6459; --rule: #e4dac8; --faint: #efe8da;
  --brass: #a9761f; --curtain: #a83a2c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #191613; --card: #221e1a; --ink: #eee5d6; --soft: #a89d8d; --rule: #3a332b; --faint: #2b2621;
    --brass: #d9a94a; --curtain: #e88670;
  }
}
* { box-sizing: border-box }
[hidden] { display: none !important }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; -webkit-text-size-adjust: 100%;
}
main { max-width: 76rem; margin: 0 auto; padding: 3rem 1.25rem 5rem }
h1, h2 { font-family: ui-serif, Georgia, 'Times New Roman', serif; font-weight: 600; line-height: 1.15; text-wrap: balance }
h1 { font-size: clamp(1.9rem, 5vw, 2.75rem); margin: 0 0 .5em; letter-spacing: -.01em }
h2 { font-size: 1.4rem; margin: 3rem 0 .75rem }
p { margin: 0 0 1rem; max-width: 44rem; text-wrap: pretty }
.lead { font-size: 1.1rem }
a { color: var(--curtain); text-underline-offset: .15em }
button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; text-align: inherit }
:focus-visible { outline: 2px solid var(--brass); outline-offset: 2px; border-radius: 3px }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
small { display: block; font-size: .75rem; font-weight: 400; color: var(--soft) }

.machine { display: flex; flex-wrap: wrap; gap: .75rem 2rem; margin: 1.5rem 0; padding: 1rem 0; border-block: 1px solid var(--rule); font-size: .9rem }
.machine dt { color: var(--soft); font-size: .8rem }
.machine dd { margin: 0 }

.kinds { display: inline-flex; margin: .5rem 0 0; padding: 3px; border: 1px solid var(--rule); border-radius: 999px; background: var(--card) }
.kinds label { padding: .35rem 1rem; border-radius: 999px; cursor: pointer; font-size: .95rem }
.kinds input { position: absolute; opacity: 0; pointer-events: none }
.kinds label:has(:checked) { background: var(--ink); color: var(--paper) }
.kinds label:has(:focus-visible) { outline: 2px solid var(--brass); outline-offset: 2px }

.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1.25rem; margin: 1.25rem 0 0 }
figure { margin: 0; padding: 1rem; background: var(--card); border: 1px solid var(--rule); border-radius: 10px; min-width: 0 }
.plots.large { grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)) }
.plots figure { max-width: 38rem }
figcaption { font-weight: 600; margin: 0 0 .5rem }
.plot { display: block; width: 100%; height: auto; font: 11.5px system-ui, sans-serif }
.plot text { fill: var(--soft) }
.plot .point text { stroke: var(--card); stroke-width: 3px; stroke-linejoin: round; paint-order: stroke }
.plot .rule { stroke: var(--faint); fill: none }

.plot .front { fill: none; stroke: var(--curtain); stroke-width: 1.25; stroke-opacity: .55 }
.plot circle { fill: var(--soft); stroke: var(--card); stroke-width: 1 }
.plot .spread { stroke: var(--soft); stroke-width: 1.5; stroke-opacity: .5 }
.plot .leader { stroke: var(--soft); stroke-width: .75; stroke-opacity: .7 }
.plot .best circle { fill: var(--curtain) }
.plot .best text { fill: var(--ink); font-weight: 600 }
.plot .hollow circle { fill: var(--card); stroke: var(--soft); stroke-width: 1.75 }
.plot .hollow.best circle { stroke: var(--curtain) }
.plot a { text-decoration: none }
.plot a:hover text, .plot a:focus-visible text { fill: var(--curtain) }
.plot a:hover circle, .plot a:focus-visible circle { stroke: var(--ink); stroke-width: 1.75 }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.5rem; margin: .75rem 0 0; padding: 0; list-style: none; color: var(--soft); font-size: .85rem }
.legend .plot { display: inline-block; width: 24px; height: 14px; margin-right: .4em; vertical-align: -.15em }

details summary { cursor: pointer; color: var(--soft); font-size: .9rem }
details[open] summary { margin-bottom: .5rem }
.scroll { overflow-x: auto; container-type: inline-size }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
.plain { font-size: .85rem }
.plain th, .plain td { padding: .2rem 1rem .2rem 0; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--faint); font-weight: 400 }
.plain thead th { color: var(--soft) }
.plain th:first-child { text-align: left }

#networks { width: 100%; font-size: .875rem; border-collapse: separate; border-spacing: 0; border-bottom: 1px solid var(--rule) }
#networks > thead th { vertical-align: bottom; padding: .4rem .45rem; text-align: right; font-weight: 600; white-space: nowrap; line-height: 1.25 }
#networks > thead th button { font-weight: inherit; width: 100%; text-align: inherit }
#networks > thead th[aria-sort] button span::before { content: '↑ '; color: var(--curtain) }
#networks > thead th[aria-sort=descending] button span::before { content: '↓ ' }
#networks > tbody > tr:first-child { cursor: pointer }
#networks > tbody > tr:first-child > * { padding: .45rem; border-top: 1px solid var(--rule); text-align: right; white-space: nowrap }
#networks > tbody:first-of-type > tr:first-child > * { border-top-color: var(--ink) }
#networks > tbody > tr:first-child:hover > * { background: var(--faint) }
#networks > thead th:first-child, #networks > tbody > tr:first-child > th {
  position: sticky; left: 0; z-index: 1; background: var(--paper); text-align: left; padding-left: 0; font-weight: 600
}
#networks tbody th button { display: block; font-weight: 600 }
#networks tbody th button::before { content: '▸'; display: inline-block; width: 1.1em; color: var(--brass) }
#networks tbody th button[aria-expanded=true]::before { content: '▾' }
.name { padding-left: 1.25em; color: var(--soft); font-size: .8rem; font-weight: 400 }
.tag { display: inline-block; margin-left: .6em; padding: 0 .45em; border: 1px dashed var(--brass); border-radius: 4px; color: var(--brass); font-size: .72rem; font-weight: 500 }
strong.tag { margin-left: 0 }
td.best { color: var(--curtain); font-weight: 600 }
.details > td { padding: 0 }
/* As wide as what is seen of the table, and always in view, however far that is scrolled. */
.inside { position: sticky; left: 0; width: 100cqw; padding: 1rem 0 1.5rem }
.inside .scroll { margin: 0 0 .25rem; padding: .5rem; background: var(--card); border: 1px solid var(--rule); border-radius: 10px }
.source, .key { font-size: .9rem; white-space: normal }
.key { color: var(--soft); font-size: .82rem; margin: .5rem 0 1rem }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(42%, 13rem), 1fr)); gap: .6rem 1.5rem; margin: 0 0 1rem; font-size: .9rem }
.facts dt { color: var(--soft); font-size: .8rem }
.facts dd { margin: 0; white-space: normal }

.diagram { display: block; max-width: none; margin: 0 auto; font: 11px system-ui, sans-serif }
.diagram text { fill: var(--soft) }
.diagram .channels { fill: var(--ink); font-size: 12px; font-weight: 600 }
.diagram .paper { fill: var(--card) }
.diagram .work { fill: var(--brass) }
.diagram .edge { fill: none; stroke: var(--soft); stroke-width: 1 }
.diagram .input .edge, .diagram .readout .edge { stroke-dasharray: 2 2 }
.diagram .flow { stroke: var(--soft); fill: none }
.diagram .arc { stroke: var(--curtain); stroke-width: 1.25; fill: none; stroke-opacity: .8 }
.diagram .indices { stroke-dasharray: 4 3 }
.diagram .tip { fill: var(--soft) }
.diagram .arc + .tip { fill: var(--curtain) }
.diagram .bracket { stroke: var(--soft); fill: none }

.advice { margin: 0 0 1rem; padding-left: 1.25rem; max-width: 60rem }
.advice li { margin: .2rem 0 }
.strips { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 1rem; margin: 1rem 0 }
.strip { padding: .6rem .75rem .75rem }
.strip small { display: inline }
.strip img, .inside > img { display: block; width: 100%; max-width: 48rem; height: auto; border-radius: 4px }
.inside > img { margin: 0 0 1rem }

.busy { padding: .6rem .9rem; border-left: 3px solid var(--brass); background: var(--card) }
.method { font-size: .95rem }
footer { margin-top: 3rem; color: var(--soft); font-size: .9rem }
@media (max-width: 40rem) {
  main { padding-top: 2rem }
  figure { padding: .75rem .5rem }
  .plot { font-size: 13.5px }
  #networks > tbody > tr:first-child > th { width: 9.5rem; min-width: 9.5rem; white-space: normal; line-height: 1.35 }
  #networks tbody th button { padding-left: 1.1em; text-indent: -1.1em }
  #networks tbody th button::before { text-indent: 0 }
  .tag { margin-left: 1.4em }
}
@media print { details, .kinds { display: none } }
`

/** The page's behaviour, as it stands in the page: rows that open, columns that sort, a choice of kind. */
const script = `
'use strict'
const table = document.getElementById('networks')
const groups = () => [...table.tBodies]

// Rows that open.
const toggle = (group, open) => {
  group.querySelector('th button').setAttribute('aria-expanded', String(open))
  group.rows[1].hidden = !open
}
table.addEventListener('click', (event) => {
  const row = event.target.closest('tbody > tr:first-child')
  if (row === null || event.target.closest('a')) return
  toggle(row.parentElement, row.parentElement.rows[1].hidden)
})

// Columns that sort.
const cell = (group, column) => group.rows[0].cells[column].dataset.value
const compare = (a, b) => {
  if (a === '' || b === '') return (a === '') - (b === '')
  const [x, y] = [Number(a), Number(b)]
  return Number.isNaN(x - y) ? a.localeCompare(b) : x - y
}
const heads = [...table.tHead.rows[0].cells]
for (const [column, head] of heads.entries()) {
  head.querySelector('button').addEventListener('click', () => {
    const down = head.getAttribute('aria-sort') === 'ascending'
    for (const other of heads) other.removeAttribute('aria-sort')
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending')
    const sign = down ? -1 : 1
    table.append(...groups().sort((a, b) => sign * compare(cell(a, column), cell(b, column))))
  })
}

// Networks or detectors.
const kinds = [...document.querySelectorAll('input[name=kind]')]
const show = (kind) => {
  for (const input of kinds) input.checked = input.value === kind
  for (const part of document.querySelectorAll('[data-as]')) part.hidden = part.dataset.as !== kind
}
for (const input of kinds) input.addEventListener('change', () => show(input.value))
if (kinds.length > 0) show(kinds.find((input) => input.checked).value)

// Points of the plots lead to rows.
const follow = () => {
  const group = document.getElementById(decodeURIComponent(location.hash.slice(1)))
  if (group === null || group.parentElement !== table) return
  if (kinds.length > 0) show(group.dataset.as)
  toggle(group, true)
  group.scrollIntoView({ block: 'start' })
  group.querySelector('th button').focus({ preventScroll: true })
}
addEventListener('hashchange', follow)
// A second click on the same point changes no address.
document.addEventListener('click', (event) => {
  const point = event.target.closest('a.point')
  if (point !== null && point.getAttribute('href') === location.hash) follow()
})
follow()
`

const policy = [
  "default-src 'none'",
  `style-src ${hashOf(style)}`,
  `script-src ${hashOf(script)}`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')
