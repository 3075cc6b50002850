// Two pictures, one over the other, and a divider between them that is dragged, or moved by keys.
import { useSignal } from '@preact/signals'
import type { RefObject } from 'preact'

type Canvas = RefObject<HTMLCanvasElement | null>

interface WipeProps {
  /** Canvases of one size: the one on the left of the divider, and the one on its right. */
  readonly canvases: readonly [Canvas, Canvas]
  /** What the canvases show. */
  readonly names: readonly [string, string]
  /** Side of the canvases, in pixels. */
  readonly side: number
}

/** Per cent of the width by which keys move the divider. */
const steps: Readonly<Record<string, number>> = {
  ArrowLeft: -2,
  ArrowDown: -2,
  ArrowRight: 2,
  ArrowUp: 2,
  PageDown: -10,
  PageUp: 10,
  Home: -100,
  End: 100,
}

/** Two pictures with a divider between them. */
export function Wipe({ canvases, names, side }: WipeProps) {
  const at = useSignal(50)
  const move = (to: number) => {
    at.value = Math.min(100, Math.max(0, to))
  }
  const follow = (event: PointerEvent & { readonly currentTarget: HTMLElement }) => {
    const { left, width } = event.currentTarget.getBoundingClientRect()
    move((100 * (event.clientX - left)) / width)
  }
  const whole = Math.round(at.value)
  return (
    <figure class="stage wipe">
      <div
        class="wiped"
        onPointerDown={(event) => {
          if (event.button !== 0) return
          event.currentTarget.setPointerCapture(event.pointerId)
          follow(event)
        }}
        onPointerMove={(event) => {
          if (event.currentTarget.hasPointerCapture(event.pointerId)) follow(event)
        }}
      >
        <canvas ref={canvases[1]} width={side} height={side} role="img" aria-label={names[1]} />
        <canvas
          ref={canvases[0]}
          class="above"
          width={side}
          height={side}
          role="img"
          aria-label={names[0]}
          style={{ clipPath: `inset(0 ${100 - at.value}% 0 0)` }}
        />
        <div
          class="divider"
          role="slider"
          tabIndex={0}
          aria-label={`Divider: ${names[0]} is on its left, ${names[1]} on its right`}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={whole}
          aria-valuetext={`${whole} % of ${names[0]}`}
          style={{ left: `${at.value}%` }}
          onKeyDown={(event) => {
            const step = steps[event.key]
            if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return
            event.preventDefault()
            move(at.peek() + step)
          }}
        />
      </div>
      <figcaption class="row spread">
        <span>{names[0]}</span>
        <span>{names[1]}</span>
      </figcaption>
    </figure>
  )
}
