import type { ComparedRow } from '../study/comparison.ts'
import { layerCells, layerHead } from './comparison-text.ts'
import { diagramSvg } from './diagram-svg.ts'
import { formatCount, formatScaled } from './format.ts'
import { escaped, plainTable } from './html.ts'

type Row = Omit<ComparedRow, 'as' | 'latency' | 'pareto' | 'accuracy'>

/** All that is known of one network: source, picture, facts, layers. */
export function rowDetails(row: Row): string {
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

function source({ title, paper, year, licence, reconstruction }: Row): string {
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

function facts(row: Row): [string, string][] {
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
function dilations({ dilations, clipped }: Row): string {
  if (dilations === 'published') return 'as published'
  if (clipped.length === 0) return 'as published; none is beyond its map'
  const pairs = clipped.map(({ published, used }) => `${published} to ${used}`)
  return `clipped to the map: ${[...new Set(pairs)].join(', ')}`
}
