import { shapeText, short } from '../core/format.ts'
import { type Diagram, layOut, type Stage } from './diagram-layout.ts'

interface DiagramFigureProps {
  readonly title: string
  readonly diagram: Diagram
  readonly chosen: number
  onChoose(index: number): void
}

/** How far keys lead from the stage that has the focus. */
const strides: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1, Enter: 0, ' ': 0 }

/** A network as the survey draws it: stages as high as their maps, and what goes past them as arcs. */
export function DiagramFigure({ title, diagram, chosen, onChoose }: DiagramFigureProps) {
  const { width, height, boxes, arcs, steps } = layOut(diagram)
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
        {steps.map((d) => (
          <path key={d} class="step" d={d} />
        ))}
        {boxes.map(({ stage, index, ...box }) => (
          // biome-ignore lint/a11y/useSemanticElements: there are no buttons in SVG
          <g
            key={`${stage.kind} ${box.x}`}
            role="button"
            tabindex={0}
            aria-pressed={index === chosen}
            aria-label={`Stage ${index}: ${stageText(stage)}`}
            class={`stage-box ${stage.kind} ${stage.part ?? ''} ${index === chosen ? 'chosen' : ''}`}
            onClick={() => onChoose(index)}
            onKeyDown={(event) => {
              const next = index + (strides[event.key] ?? Number.NaN)
              if (boxes[next] === undefined) return
              // Keys go on from the stage that they led to, which comes into sight.
              const stages = event.currentTarget.parentElement!.querySelectorAll<SVGGElement>('[role=button]')
              stages[next]!.focus()
              onChoose(next)
              event.preventDefault()
            }}
          >
            <rect {...box} rx={3} />
          </g>
        ))}
        {/* biome-ignore lint/a11y/noAriaHiddenOnFocusable: a group of SVG takes no focus; what it says is in the labels */}
        <g class="sizes" aria-hidden="true">
          {boxes.map(({ stage, index, ...box }) => (
            <g key={index}>
              <text x={box.x + box.width / 2} y={box.y + box.height + 16} text-anchor="middle">
                {stage.kind === 'readout' ? 'out' : stage.shape[0]}
              </text>
              <text class="quiet" x={box.x + box.width / 2} y={box.y + box.height + 31} text-anchor="middle">
                {stage.kind === 'readout' ? '' : stage.shape[1]}
              </text>
            </g>
          ))}
        </g>
      </svg>
    </section>
  )
}

export function stageText({ kind, part, shape, results, params, macs }: Stage): string {
  if (kind === 'input') return `the picture, ${shapeText(shape)}`
  if (kind === 'readout') {
    return Object.entries(results)
      .map(([name, size]) => `${name} ${shapeText(size)}`)
      .join(', ')
  }
  const cost = `${short(params)} parameters, ${short(macs)} MACs`
  return `${shapeText(shape)}${part === undefined ? '' : ` of the ${part}`}, ${cost}`
}
