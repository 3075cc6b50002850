import type { NetworkProfile } from 'pantin/web'

export type Diagram = NetworkProfile['diagram']
export type Stage = Diagram['stages'][number]

/** Where a stage is drawn: wide as it has channels, high as its maps are. */
export interface Box {
  readonly stage: Stage
  readonly index: number
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export interface Arc {
  readonly d: string
  readonly label: string
}

export interface Layout {
  readonly width: number
  readonly height: number
  readonly boxes: readonly Box[]
  /** What goes past the next stage. */
  readonly arcs: readonly Arc[]
  /** What goes to the next stage. */
  readonly steps: readonly string[]
}

const [gap, middle, margin] = [26, 150, 24]

export function layOut({ stages, edges }: Diagram): Layout {
  const tallest = Math.max(...stages.map(({ shape }) => shape[1] ?? 1))
  let x = margin
  const boxes = stages.map((stage, index): Box => {
    const [channels = 0, side = 0] = stage.shape
    // Readouts are no maps; they are drawn as small as the smallest.
    const height = stage.kind === 'readout' ? 40 : 30 + 110 * Math.sqrt(side / tallest)
    const width = stage.kind === 'readout' ? 34 : 14 + 5 * Math.sqrt(channels)
    const box = { stage, index, x, y: middle - height / 2, width, height }
    x += width + gap
    return box
  })
  const long = edges.filter(({ from, to }) => to > from + 1)
  const arcs = long.map(({ from, to, channels, kind }): Arc => {
    const [a, b] = [boxes[from]!, boxes[to]!]
    const [x1, x2] = [a.x + a.width / 2, b.x + b.width / 2]
    const rise = Math.min(60, 14 + 4 * (to - from))
    const top = Math.min(...boxes.slice(from, to + 1).map((box) => box.y)) - rise
    return {
      d: `M${x1} ${a.y}C${x1} ${top} ${x2} ${top} ${x2} ${b.y}`,
      label: kind === 'maps' ? `${channels} channels go over` : 'pooling indices go over',
    }
  })
  const steps = boxes.slice(1).map((box, i) => {
    const before = boxes[i]!
    return `M${before.x + before.width} ${middle}H${box.x}`
  })
  return { width: x - gap + margin, height: middle + 110, boxes, arcs, steps }
}
