import type { Diagram, DiagramEdge, Stage } from '../profile/diagram.ts'
import { formatCount, formatScaled } from './format.ts'
import { escaped, fixed } from './html.ts'

/**
 * A network as a picture: a block for each stage, as high as its maps are fine and as wide as they have
 * channels, darker where more of the work is done; what skips stages goes over them in arcs.
 */

/** A stage where it is drawn. */
interface Block {
  readonly stage: Stage
  readonly index: number
  readonly x: number
  readonly width: number
  readonly height: number
}

/** An arc and how far above the blocks it runs. */
interface Arc {
  readonly edge: DiagramEdge
  readonly lane: number
}

const gap = 26
const leastSlot = 38
const laneHeight = 11
const labelRoom = 50
const partRoom = 24

/** @param name of the network, for the picture's description. */
export function diagramSvg({ stages, edges }: Diagram, name: string): string {
  const blocks = placed(stages)
  const arcs = inLanes(edges.filter(({ from, to }) => to > from + 1))
  const tallest = Math.max(...blocks.map(({ height }) => height))
  const lanes = Math.max(0, ...arcs.map(({ lane }) => lane + 1))
  const middle = 10 + laneHeight * lanes + (lanes > 0 ? 6 : 0) + tallest / 2
  const floor = middle + tallest / 2
  const brackets = partBrackets(blocks, floor + labelRoom)
  const width = blocks.at(-1)!.x + slotOf(blocks.at(-1)!.stage) / 2 + 8
  const height = floor + labelRoom + (brackets === '' ? 0 : partRoom)
  const macs = stages.reduce((sum, stage) => sum + stage.macs, 0)
  return `<svg class="diagram" viewBox="0 0 ${fixed(width)} ${fixed(height)}" width="${fixed(width)}" height="${fixed(height)}" role="img" aria-label="${escaped(described(name, stages, arcs))}">
${arcs.map((arc) => arcPath(arc, arcs, blocks, middle)).join('\n')}
${edges.map((edge) => flowPath(edge, blocks, middle)).join('')}
${blocks.map((block) => blockShape(block, middle, floor, macs)).join('\n')}
${brackets}</svg>`
}

const isMap = ({ kind }: Stage) => kind !== 'readout'

const channelsOf = ({ shape }: Stage) => shape[0] ?? 1
const sideOf = ({ shape }: Stage) => Math.sqrt((shape[1] ?? 1) * (shape[2] ?? 1))

const widthOf = (stage: Stage) => (isMap(stage) ? 7 + 4 * Math.log2(channelsOf(stage)) : 10)
const heightOf = (stage: Stage) => (isMap(stage) ? 12 + 15 * Math.log2(sideOf(stage)) : 10)
const slotOf = (stage: Stage) => Math.max(leastSlot, widthOf(stage), isMap(stage) ? 0 : textWidth(stage))

/** Of the widest label, generously: fonts differ. */
const textWidth = (stage: Stage) => 6.6 * Math.max(...labelLines(stage).map((line) => line.length))

function placed(stages: readonly Stage[]): Block[] {
  let left = 8
  return stages.map((stage, index) => {
    const slot = slotOf(stage)
    const block = { stage, index, x: left + slot / 2, width: widthOf(stage), height: heightOf(stage) }
    left += slot + gap
    return block
  })
}

/** Short arcs below long ones; those that share a lane do not overlap. */
function inLanes(edges: readonly DiagramEdge[]): Arc[] {
  const arcs: Arc[] = []
  for (const edge of edges.toSorted((a, b) => a.to - a.from - (b.to - b.from))) {
    const taken = arcs.filter(({ edge: other }) => edge.from < other.to && other.from < edge.to)
    arcs.push({ edge, lane: Math.max(-1, ...taken.map(({ lane }) => lane)) + 1 })
  }
  return arcs
}

function arcPath(
  { edge, lane }: Arc,
  arcs: readonly Arc[],
  blocks: readonly Block[],
  middle: number,
): string {
  const [a, b] = [blocks[edge.from]!, blocks[edge.to]!]
  const under = blocks.slice(edge.from, edge.to + 1).map(({ height }) => height)
  const top = middle - Math.max(...under) / 2 - 8 - laneHeight * lane
  // Several arcs of one block leave and arrive side by side.
  const out = arcs.filter(({ edge: { from } }) => from === edge.from)
  const into = arcs.filter(({ edge: { to } }) => to === edge.to)
  const beside = (all: readonly Arc[], block: Block) => {
    const step = Math.min(6, (block.width - 6) / Math.max(1, all.length - 1))
    return (all.findIndex(({ edge: other }) => other === edge) - (all.length - 1) / 2) * step
  }
  const [x1, x2] = [a.x - beside(out, a), b.x + beside(into, b)]
  const [y1, y2] = [middle - a.height / 2, middle - b.height / 2 - 1]
  const r = 5
  const kind = edge.kind === 'maps' ? 'arc' : 'arc indices'
  const what = edge.kind === 'maps' ? channelCount(edge.channels) : 'pooling indices'
  return (
    `<path class="${kind}" d="M${fixed(x1)} ${fixed(y1)}V${fixed(top + r)}q0 ${-r} ${r} ${-r}` +
    `H${fixed(x2 - r)}q${r} 0 ${r} ${r}V${fixed(y2)}"><title>${what} go over</title></path>` +
    arrowDown(x2, y2)
  )
}

const arrowDown = (x: number, y: number) => `<path class="tip" d="M${fixed(x - 3)} ${fixed(y - 5)}h6l-3 5z"/>`

function flowPath({ from, to }: DiagramEdge, blocks: readonly Block[], middle: number): string {
  if (to !== from + 1) return ''
  const [a, b] = [blocks[from]!, blocks[to]!]
  const [x1, x2] = [a.x + a.width / 2 + 2, b.x - b.width / 2 - 2]
  const y = fixed(middle)
  return `<path class="flow" d="M${fixed(x1)} ${y}H${fixed(x2 - 3)}"/><path class="tip" d="M${fixed(x2 - 5)} ${fixed(middle - 3)}v6l5-3z"/>`
}

function blockShape(block: Block, middle: number, floor: number, allMacs: number): string {
  const { stage, x, width, height } = block
  const share = allMacs === 0 ? 0 : stage.macs / allMacs
  const y = middle - height / 2
  const at = `x="${fixed(x - width / 2)}" y="${fixed(y)}" width="${fixed(width)}" height="${fixed(height)}"`
  const work = `<rect class="work" ${at} rx="2.5" fill-opacity="${Math.sqrt(share).toFixed(2)}"/>`
  const lines = labelLines(stage).map(
    (line, i) =>
      `<text class="${i === 0 ? 'channels' : 'size'}" x="${fixed(x)}" y="${fixed(floor + 17 + 14 * i)}" text-anchor="middle">${escaped(line)}</text>`,
  )
  return `<g class="stage ${stage.kind}"><title>${escaped(aboutStage(stage, share))}</title>
<rect class="paper" ${at} rx="2.5"/>${share > 0 ? work : ''}<rect class="edge" ${at} rx="2.5"/>${lines.join('')}</g>`
}

function labelLines(stage: Stage): string[] {
  const { kind, shape, results, modules } = stage
  if (kind === 'readout') return Object.entries(results).map(([name, sizes]) => `${name} ${sizes.join('×')}`)
  const [channels, h, w] = shape
  const count = modules.length > 1 ? [`${modules.length} blocks`] : []
  return [formatCount(channels ?? 1), `${h}×${w}`, ...(kind === 'input' ? ['picture'] : count)]
}

/** One line for each stage, as it is shown on hovering. */
function aboutStage(stage: Stage, share: number): string {
  if (stage.kind === 'readout') return `read from the maps: ${labelLines(stage).join(', ')}`
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

const channelCount = (channels: number) => `${formatCount(channels)} channel${channels === 1 ? '' : 's'}`

/** Lines under the stages of each part, where there are several. */
function partBrackets(blocks: readonly Block[], y: number): string {
  const parts = [...new Set(blocks.flatMap(({ stage }) => stage.part ?? []))]
  return parts
    .map((part) => {
      const own = blocks.filter(({ stage }) => stage.part === part)
      const [first, last] = [own[0]!, own.at(-1)!]
      const [x1, x2] = [first.x - slotOf(first.stage) / 2, last.x + slotOf(last.stage) / 2]
      return (
        `<path class="bracket" d="M${fixed(x1)} ${fixed(y - 1)}v5H${fixed(x2)}v-5"/>` +
        `<text class="size" x="${fixed((x1 + x2) / 2)}" y="${fixed(y + 18)}" text-anchor="middle">${part}</text>`
      )
    })
    .join('')
}

/** The picture in a sentence. */
function described(name: string, stages: readonly Stage[], arcs: readonly Arc[]): string {
  const maps = stages.filter(isMap).map(({ shape }) => `${shape[0]} at ${shape[1]}x${shape[2]}`)
  const over = arcs.length === 0 ? 'nothing skips a stage' : `${arcs.length} connections skip stages`
  return `${name}: channels and resolution by stage: ${maps.join(', ')}; ${over}`
}
