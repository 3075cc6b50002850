// A network's diagram, whose stages can be chosen.
import { layOutDiagram, type NetworkProfile } from 'pantin/web'
import { shapeText, short } from '../core/format.ts'

type Diagram = NetworkProfile['diagram']

interface DiagramFigureProps {
  readonly title: string
  readonly diagram: Diagram
  readonly chosen: number
  onChoose(index: number): void
}

/** How far keys lead from the stage that has the focus. */
const strides: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1, Enter: 0, ' ': 0 }

/** A network's diagram, as reports draw it, with stages that can be chosen. */
export function DiagramFigure({ title, diagram, chosen, onChoose }: DiagramFigureProps) {
  const { width, height, blocks, arcs, flows, brackets } = layOutDiagram(diagram)
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reached by keys
    <section class="scroll" tabIndex={0} aria-label={`Diagram of ${title}, which scrolls`}>
      {/* biome-ignore lint/a11y/useSemanticElements: SVG has no fieldset */}
      <svg
        class="diagram"
        width={width}
        height={height}
        viewBox={`0 0 ${width} ${height}`}
        role="group"
        aria-label={`Stages of ${title}`}
      >
        {arcs.map(({ d, label }) => (
          <path key={d} class="arc" d={d}>
            <title>{label}</title>
          </path>
        ))}
        {[...arcs, ...flows].map(({ d, tip }) => (
          <path key={`tip ${d}`} class="tip" d={tip} />
        ))}
        {flows.map(({ d }) => (
          <path key={d} class="step" d={d} />
        ))}
        {blocks.map(({ stage, index, x, y, width, height }) => (
          // biome-ignore lint/a11y/useSemanticElements: there are no buttons in SVG
          <g
            key={index}
            role="button"
            tabindex={0}
            aria-pressed={index === chosen}
            aria-label={`Stage ${index}: ${stageText(stage)}`}
            class={`stage-box ${stage.kind} ${stage.part ?? ''} ${index === chosen ? 'chosen' : ''}`}
            onClick={() => onChoose(index)}
            onKeyDown={(event) => {
              const next = index + (strides[event.key] ?? Number.NaN)
              if (blocks[next] === undefined) return
              // Keys go on from the stage that they led to, which comes into sight.
              const stages = event.currentTarget.parentElement!.querySelectorAll<SVGGElement>('[role=button]')
              stages[next]!.focus()
              onChoose(next)
              event.preventDefault()
            }}
          >
            <rect x={x} y={y} width={width} height={height} rx={3} />
          </g>
        ))}
        {/* biome-ignore lint/a11y/noAriaHiddenOnFocusable: a group of SVG takes no focus; what it says is in the labels */}
        <g class="sizes" aria-hidden="true">
          {blocks.map(({ index, lines }) => (
            <g key={index}>
              {lines.map(({ text, x, y }, i) => (
                <text key={text} class={i === 0 ? '' : 'quiet'} x={x} y={y} text-anchor="middle">
                  {text}
                </text>
              ))}
            </g>
          ))}
          {brackets.map(({ part, d, x, y }) => (
            <g key={part}>
              <path class="step" d={d} />
              <text class="quiet" x={x} y={y} text-anchor="middle">
                {part}
              </text>
            </g>
          ))}
        </g>
      </svg>
    </section>
  )
}

export function stageText({ kind, part, shape, results, params, macs }: Diagram['stages'][number]): string {
  if (kind === 'input') return `the picture, ${shapeText(shape)}`
  if (kind === 'readout') {
    return Object.entries(results)
      .map(([name, size]) => `${name} ${shapeText(size)}`)
      .join(', ')
  }
  const cost = `${short(params)} parameters, ${short(macs)} MACs`
  return `${shapeText(shape)}${part === undefined ? '' : ` of the ${part}`}, ${cost}`
}
