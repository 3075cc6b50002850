// A network's diagram as SVG text: darker blocks do more of the work.
import type { Diagram, Stage } from '../profile/diagram.ts'
import { channelCount, type DiagramBlock, type DiagramLine, layOutDiagram } from './diagram-layout.ts'
import { fixed, formatCount, formatScaled } from './format.ts'
import { escaped } from './html.ts'

/** @param name of the network, for the picture's description. */
export function diagramSvg(diagram: Diagram, name: string): string {
  const { width, height, blocks, arcs, flows, brackets } = layOutDiagram(diagram)
  const macs = diagram.stages.reduce((sum, stage) => sum + stage.macs, 0)
  const size = `viewBox="0 0 ${fixed(width)} ${fixed(height)}" width="${fixed(width)}" height="${fixed(height)}"`
  const about = escaped(described(name, diagram.stages, arcs.length))
  return `<svg class="diagram" ${size} role="img" aria-label="${about}">
${arcs.map(arcPath).join('\n')}
${flows.map(({ d, tip }) => `<path class="flow" d="${d}"/><path class="tip" d="${tip}"/>`).join('')}
${blocks.map((block) => blockShape(block, macs)).join('\n')}
${brackets
  .map(
    ({ part, d, x, y }) =>
      `<path class="bracket" d="${d}"/>` +
      `<text class="size" x="${fixed(x)}" y="${fixed(y)}" text-anchor="middle">${part}</text>`,
  )
  .join('')}</svg>`
}

const arcPath = ({ edge, d, tip, label }: DiagramLine & { readonly label: string }) =>
  `<path class="${edge.kind === 'maps' ? 'arc' : 'arc indices'}" d="${d}"><title>${label}</title></path>` +
  `<path class="tip" d="${tip}"/>`

function blockShape({ stage, x, y, width, height, lines }: DiagramBlock, allMacs: number): string {
  const share = allMacs === 0 ? 0 : stage.macs / allMacs
  const at = `x="${fixed(x)}" y="${fixed(y)}" width="${fixed(width)}" height="${fixed(height)}"`
  const work = `<rect class="work" ${at} rx="2.5" fill-opacity="${Math.sqrt(share).toFixed(2)}"/>`
  const texts = lines.map(
    (line, i) =>
      `<text class="${i === 0 ? 'channels' : 'size'}" x="${fixed(line.x)}" y="${fixed(line.y)}" text-anchor="middle">${escaped(line.text)}</text>`,
  )
  const about = aboutStage(
    stage,
    share,
    lines.map(({ text }) => text),
  )
  return `<g class="stage ${stage.kind}"><title>${escaped(about)}</title>
<rect class="paper" ${at} rx="2.5"/>${share > 0 ? work : ''}<rect class="edge" ${at} rx="2.5"/>${texts.join('')}</g>`
}

/** One line for each stage, as it is shown on hovering. */
function aboutStage(stage: Stage, share: number, lines: readonly string[]): string {
  if (stage.kind === 'readout') return `read from the maps: ${lines.join(', ')}`
  const [channels, h, w] = stage.shape
  const made = `${channelCount(channels ?? 1)} at ${h} x ${w}`
  if (stage.kind === 'input') return `picture: ${made}`
  const { modules } = stage
  const names = modules.length > 2 ? `${modules[0]} to ${modules.at(-1)}: ` : `${modules.join(', ')}: `
  const percent = share > 0 && share < 0.005 ? 'under 1%' : `${Math.round(100 * share)}%`
  return (
    (modules.length > 0 ? names : '') +
    `${made}; ${formatCount(stage.params)} parameters, ${formatScaled(stage.macs, 'MAC')} (${percent})`
  )
}

/** The picture in a sentence. */
function described(name: string, stages: readonly Stage[], arcs: number): string {
  const maps = stages
    .filter(({ kind }) => kind !== 'readout')
    .map(({ shape }) => `${shape[0]} at ${shape[1]}x${shape[2]}`)
  const over = arcs === 0 ? 'nothing skips a stage' : `${arcs} connections skip stages`
  return `${name}: channels and resolution by stage: ${maps.join(', ')}; ${over}`
}
