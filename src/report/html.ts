// HTML of the pages of comparisons and studies: tables, the frame of a page, and its legend.
import { createHash } from 'node:crypto'
import type { Comparison } from '../study/candidates.ts'
import { version } from '../util/version.ts'
import { escaped } from './format.ts'
import { script, style } from './page-assets.ts'

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

const policy = [
  "default-src 'none'",
  `style-src ${hashOf(style)}`,
  `script-src ${hashOf(script)}`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

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
