// A network's diagram: a block for each stage, as high as its maps are fine and as wide as they have channels. The layout
// is for any page. As SVG text, darker blocks do more of the work.
import type { Diagram, DiagramEdge, Stage } from '../profile/diagram.ts'
import { escaped, fixed, formatCount, formatScaled } from './format.ts'

/** A stage where it is drawn, in pixels. */
export interface DiagramBlock {
  /** The stage. */
  readonly stage: Stage
  /** Index of the stage. */
  readonly index: number
  /** Left edge. */
  readonly x: number
  /** Top edge. */
  readonly y: number
  /** Width. */
  readonly width: number
  /** Height. */
  readonly height: number
  /** What is written under it: channels, size, and the number of modules. */
  readonly lines: readonly {
    /** The words. */
    readonly text: string
    /** Middle of the line. */
    readonly x: number
    /** Base line. */
    readonly y: number
  }[]
}

/** A line between stages, and the arrow at its end, as data of SVG paths. */
export interface DiagramLine {
  /** The maps that go over. */
  readonly edge: DiagramEdge
  /** The line. */
  readonly d: string
  /** The arrow at its end. */
  readonly tip: string
}

/** A line under the stages of one part of a detector. */
export interface DiagramBracket {
  /** Name of the part. */
  readonly part: string
  /** The line. */
  readonly d: string
  /** Middle of the name. */
  readonly x: number
  /** Base line of the name. */
  readonly y: number
}

/** A diagram laid out, in pixels. */
export interface DiagramLayout {
  /** Width of the drawing. */
  readonly width: number
  /** Height of the drawing. */
  readonly height: number
  /** The stages. */
  readonly blocks: readonly DiagramBlock[]
  /** Lines that skip stages, with what goes over in words. */
  readonly arcs: readonly (DiagramLine & {
    /** What goes over, in words. */
    readonly label: string
  })[]
  /** Lines to the next stage. */
  readonly flows: readonly DiagramLine[]
  /** Lines under the parts of a detector. */
  readonly brackets: readonly DiagramBracket[]
}

const gap = 26
const leastSlot = 38
const laneHeight = 11
const labelRoom = 50
const partRoom = 24

/** Lays a diagram out. Short arcs run below long ones. */
export function layOutDiagram({ stages, edges }: Diagram): DiagramLayout {
  const lanes = inLanes(edges.filter(({ from, to }) => to > from + 1))
  const tallest = Math.max(...stages.map(heightOf))
  const laneCount = Math.max(0, ...lanes.map(({ lane }) => lane + 1))
  const middle = 10 + laneHeight * laneCount + (laneCount > 0 ? 6 : 0) + tallest / 2
  const floor = middle + tallest / 2
  const blocks = placed(stages, middle, floor)
  const brackets = partBrackets(blocks, floor + labelRoom)
  const last = blocks.at(-1)!
  return {
    width: centre(last) + slotOf(last.stage) / 2 + 8,
    height: floor + labelRoom + (brackets.length === 0 ? 0 : partRoom),
    blocks,
    arcs: lanes.map((arc) => arcLine(arc, lanes, blocks, middle)),
    flows: edges.filter(({ from, to }) => to === from + 1).map((edge) => flowLine(edge, blocks, middle)),
    brackets,
  }
}

/** Such as `64 channels`. */
export const channelCount = (channels: number): string =>
  `${formatCount(channels)} channel${channels === 1 ? '' : 's'}`

const isMap = ({ kind }: Stage) => kind !== 'readout'
const sideOf = ({ shape }: Stage) => Math.sqrt((shape[1] ?? 1) * (shape[2] ?? 1))
const widthOf = (stage: Stage) => (isMap(stage) ? 7 + 4 * Math.log2(stage.shape[0] ?? 1) : 10)
const heightOf = (stage: Stage) => (isMap(stage) ? 12 + 15 * Math.log2(sideOf(stage)) : 10)
const slotOf = (stage: Stage) => Math.max(leastSlot, widthOf(stage), isMap(stage) ? 0 : textWidth(stage))
const centre = ({ x, width }: Pick<DiagramBlock, 'x' | 'width'>) => x + width / 2

/** Width of the widest label, a generous guess: fonts differ. */
const textWidth = (stage: Stage) => 6.6 * Math.max(...labelLines(stage).map((line) => line.length))

function labelLines({ kind, shape, results, modules }: Stage): string[] {
  if (kind === 'readout') return Object.entries(results).map(([name, sizes]) => `${name} ${sizes.join('×')}`)
  const [channels, h, w] = shape
  const count = modules.length > 1 ? [`${modules.length} blocks`] : []
  return [formatCount(channels ?? 1), `${h}×${w}`, ...(kind === 'input' ? ['picture'] : count)]
}

function placed(stages: readonly Stage[], middle: number, floor: number): DiagramBlock[] {
  let left = 8
  return stages.map((stage, index) => {
    const slot = slotOf(stage)
    const [width, height] = [widthOf(stage), heightOf(stage)]
    const x = left + slot / 2
    left += slot + gap
    return {
      ...{ stage, index, width, height, x: x - width / 2, y: middle - height / 2 },
      lines: labelLines(stage).map((text, i) => ({ text, x, y: floor + 17 + 14 * i })),
    }
  })
}

/** An arc and the number of arcs that it runs above. */
interface Lane {
  readonly edge: DiagramEdge
  readonly lane: number
}

/** Arcs that share a lane do not overlap. */
function inLanes(edges: readonly DiagramEdge[]): Lane[] {
  const arcs: Lane[] = []
  for (const edge of edges.toSorted((a, b) => a.to - a.from - (b.to - b.from))) {
    const taken = arcs.filter(({ edge: other }) => edge.from < other.to && other.from < edge.to)
    arcs.push({ edge, lane: Math.max(-1, ...taken.map(({ lane }) => lane)) + 1 })
  }
  return arcs
}

function arcLine(
  { edge, lane }: Lane,
  arcs: readonly Lane[],
  blocks: readonly DiagramBlock[],
  middle: number,
) {
  const [a, b] = [blocks[edge.from]!, blocks[edge.to]!]
  const under = blocks.slice(edge.from, edge.to + 1).map(({ height }) => height)
  const top = middle - Math.max(...under) / 2 - 8 - laneHeight * lane
  // Several arcs of one block leave and arrive side by side.
  const out = arcs.filter(({ edge: { from } }) => from === edge.from)
  const into = arcs.filter(({ edge: { to } }) => to === edge.to)
  const beside = (all: readonly Lane[], block: DiagramBlock) => {
    const step = Math.min(6, (block.width - 6) / Math.max(1, all.length - 1))
    return (all.findIndex(({ edge: other }) => other === edge) - (all.length - 1) / 2) * step
  }
  const [x1, x2] = [centre(a) - beside(out, a), centre(b) + beside(into, b)]
  const y2 = b.y - 1
  const r = 5
  return {
    edge,
    d:
      `M${fixed(x1)} ${fixed(a.y)}V${fixed(top + r)}q0 ${-r} ${r} ${-r}` +
      `H${fixed(x2 - r)}q${r} 0 ${r} ${r}V${fixed(y2)}`,
    tip: `M${fixed(x2 - 3)} ${fixed(y2 - 5)}h6l-3 5z`,
    label: `${edge.kind === 'maps' ? channelCount(edge.channels) : 'pooling indices'} go over`,
  }
}

function flowLine(edge: DiagramEdge, blocks: readonly DiagramBlock[], middle: number): DiagramLine {
  const [a, b] = [blocks[edge.from]!, blocks[edge.to]!]
  const [x1, x2] = [a.x + a.width + 2, b.x - 2]
  return {
    edge,
    d: `M${fixed(x1)} ${fixed(middle)}H${fixed(x2 - 3)}`,
    tip: `M${fixed(x2 - 5)} ${fixed(middle - 3)}v6l5-3z`,
  }
}

function partBrackets(blocks: readonly DiagramBlock[], y: number): DiagramBracket[] {
  const parts = [...new Set(blocks.flatMap(({ stage }) => stage.part ?? []))]
  return parts.map((part) => {
    const own = blocks.filter(({ stage }) => stage.part === part)
    const [first, last] = [own[0]!, own.at(-1)!]
    const [x1, x2] = [centre(first) - slotOf(first.stage) / 2, centre(last) + slotOf(last.stage) / 2]
    return {
      part,
      d: `M${fixed(x1)} ${fixed(y - 1)}v5H${fixed(x2)}v-5`,
      ...{ x: (x1 + x2) / 2, y: y + 18 },
    }
  })
}

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
