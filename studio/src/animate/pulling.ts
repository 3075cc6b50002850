// Pulling keypoints on a canvas: by a pointer, or by the keyboard.
import type { Signal } from '@preact/signals'
import { type Pull, pulled } from '../core/strings.ts'
import { isHeld, placed, plays, pull, pullNow, puppet, reach, taken } from './puppetry.ts'

/** A pointer takes the nearest point within this distance, in [-1, 1]. */
const grasp = 0.15
const keyStep = 0.02

/**
 * Lets the keypoints that a canvas shows be pulled, while `isOn`.
 *
 * @returns a function that ends it
 */
export function letPull(canvas: HTMLCanvasElement, isOn: () => boolean): () => void {
  let drag:
    | { readonly pointer: number; readonly from: Pull; readonly shift: readonly [number, number] }
    | undefined
  const own = new AbortController()
  const on = <K extends keyof HTMLElementEventMap>(
    name: K,
    listen: (event: HTMLElementEventMap[K]) => void,
  ) => canvas.addEventListener(name, listen, { signal: own.signal })
  const placeOf = ({ clientX, clientY }: PointerEvent): [number, number] => {
    const { left, top, width, height } = canvas.getBoundingClientRect()
    return [(2 * (clientX - left)) / width - 1, (2 * (clientY - top)) / height - 1]
  }

  on('pointerdown', (event) => {
    if (!isOn() || event.button !== 0) return
    plays.value = false
    const [x, y] = placeOf(event)
    const points = placed(pull.peek())?.value ?? []
    const apart = points.map((point) => Math.hypot(point[0]! - x, point[1]! - y))
    const nearest = apart.indexOf(Math.min(...apart))
    if (nearest < 0 || apart[nearest]! > grasp) return
    canvas.setPointerCapture(event.pointerId)
    taken.value = nearest
    isHeld.value = true
    const point = points[nearest]!
    drag = { pointer: event.pointerId, from: pull.peek(), shift: [point[0]! - x, point[1]! - y] }
  })
  on('pointermove', (event) => {
    if (drag?.pointer !== event.pointerId) return
    const [x, y] = placeOf(event)
    reach(drag.from, [inPicture(x + drag.shift[0]), inPicture(y + drag.shift[1])])
  })
  const leave = () => {
    if (drag !== undefined) pullNow()
    drag = undefined
    isHeld.value = false
  }
  on('pointerup', leave)
  on('pointercancel', leave)
  on('keydown', (event) => {
    const now = puppet.peek()
    if (!isOn() || now === undefined || event.ctrlKey || event.metaKey || event.altKey) return
    if (event.key in turns) {
      choose(taken, turns[event.key as keyof typeof turns], now.rest.value.length)
    } else {
      const arrow = arrows[event.key as keyof typeof arrows]
      const at = placed(pull.peek())?.value[taken.peek()]
      if (arrow === undefined || at === undefined) return
      plays.value = false
      const to = [inPicture(at[0]! + keyStep * arrow[0]), inPicture(at[1]! + keyStep * arrow[1])] as const
      pull.value = pulled(now, pull.peek(), taken.peek(), to)
    }
    event.preventDefault()
  })
  return () => {
    leave()
    own.abort()
  }
}

const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] } as const
const turns = { n: 1, p: -1 } as const

/** Takes the next point, or the one before. */
function choose(point: Signal<number>, by: number, count: number): void {
  point.value = (point.peek() + by + count) % count
}

const inPicture = (place: number): number => Math.min(1, Math.max(-1, place))
