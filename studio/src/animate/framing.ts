// Moving a square over a picture: by a pointer, two fingers, the wheel or the keyboard.
import type { Square } from 'pantin/web'

/** A square of a picture of some size, in its pixels. */
export interface Framed {
  readonly width: number
  readonly height: number
  readonly square: Square
}

/** The square in the middle of a picture. */
export function middleOf(width: number, height: number): Square {
  const side = Math.min(width, height)
  return { left: (width - side) / 2, top: (height - side) / 2, side }
}

/** A square is at least this part of the picture's shorter side. */
const smallest = 0.1

/** The square that shows a picture moved by parts of the square's side. It stays within the picture. */
export function moved({ width, height, square }: Framed, right: number, down: number): Square {
  const { left, top, side } = square
  return within(width, height, { left: left - right * side, top: top - down * side, side })
}

/** The square that shows a picture larger by a factor, around a place of the square, 0 to 1 along each axis. */
export function zoomed({ width, height, square }: Framed, factor: number, [x, y]: readonly [number, number]) {
  const shorter = Math.min(width, height)
  const side = Math.max(smallest * shorter, Math.min(shorter, square.side / factor))
  const lost = square.side - side
  return within(width, height, { left: square.left + x * lost, top: square.top + y * lost, side })
}

function within(width: number, height: number, { left, top, side }: Square): Square {
  const clamp = (value: number, most: number) => Math.max(0, Math.min(most, value))
  return { left: clamp(left, width - side), top: clamp(top, height - side), side }
}

/** What is shown on a canvas, and what becomes of it. */
export interface FramedCanvas<Shown extends Framed> {
  /** What is shown now; undefined as long as there is nothing to move. */
  now(): Shown | undefined
  /** Shows another square while it is moved. */
  show(square: Square): void
  /** The square has come to rest. Meanwhile something else may be shown: the square is that of `moved`. */
  settle(moved: Shown): void
}

/** Milliseconds after the last turn of the wheel, or press of a key, at which the square is at rest. */
const rest = 400

/** Lets a canvas be framed. @returns a function that ends it */
export function letFrame<Shown extends Framed>(
  canvas: HTMLCanvasElement,
  framed: FramedCanvas<Shown>,
): () => void {
  const pointers = new Map<number, readonly [number, number]>()
  let changed: Shown | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  const change = (apply: (now: Framed) => Square) => {
    const now = framed.now()
    if (now === undefined) return
    changed = { ...now, square: apply(now) }
    framed.show(changed.square)
  }
  const settle = () => {
    clearTimeout(timer)
    if (changed !== undefined) framed.settle(changed)
    changed = undefined
  }
  const settleSoon = () => {
    clearTimeout(timer)
    timer = setTimeout(settle, rest)
  }
  const placeOf = ({ clientX, clientY }: MouseEvent): readonly [number, number] => {
    const { left, top, width, height } = canvas.getBoundingClientRect()
    return [(clientX - left) / width, (clientY - top) / height]
  }
  /** The middle of all pointers, and how far apart they are. */
  const grip = () => {
    const places = [...pointers.values()]
    const [x, y] = [0, 1].map((axis) => places.reduce((sum, place) => sum + place[axis]!, 0) / places.length)
    const apart =
      places.length < 2
        ? 1
        : Math.hypot(...([0, 1].map((a) => places[0]![a]! - places[1]![a]!) as [number, number]))
    return { x: x!, y: y!, apart: Math.max(0.02, apart) }
  }

  const own = new AbortController()
  const on = <K extends keyof HTMLElementEventMap>(
    name: K,
    listen: (event: HTMLElementEventMap[K]) => void,
  ) => canvas.addEventListener(name, listen, { signal: own.signal, passive: false })
  on('pointerdown', (event) => {
    if (event.button !== 0 || framed.now() === undefined) return
    canvas.setPointerCapture(event.pointerId)
    pointers.set(event.pointerId, placeOf(event))
  })
  on('pointermove', (event) => {
    if (!pointers.has(event.pointerId)) return
    const before = grip()
    pointers.set(event.pointerId, placeOf(event))
    const after = grip()
    change((now) => {
      const square = moved(now, after.x - before.x, after.y - before.y)
      return zoomed({ ...now, square }, after.apart / before.apart, [after.x, after.y])
    })
  })
  const leave = (event: PointerEvent) => {
    if (pointers.delete(event.pointerId) && pointers.size === 0) settle()
  }
  on('pointerup', leave)
  on('pointercancel', leave)
  on('wheel', (event) => {
    if (framed.now() === undefined) return
    event.preventDefault()
    change((now) => zoomed(now, Math.exp(-0.002 * event.deltaY), placeOf(event)))
    settleSoon()
  })
  on('keydown', (event) => {
    const apply = keys[event.key]
    if (apply === undefined || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    change(apply)
    settleSoon()
  })
  return () => {
    own.abort()
    clearTimeout(timer)
  }
}

const step = 0.05
const middle = [0.5, 0.5] as const
/** The picture moves as the arrow points. */
const keys: Readonly<Record<string, (now: Framed) => Square>> = {
  ArrowLeft: (now) => moved(now, -step, 0),
  ArrowRight: (now) => moved(now, step, 0),
  ArrowUp: (now) => moved(now, 0, -step),
  ArrowDown: (now) => moved(now, 0, step),
  '+': (now) => zoomed(now, 1.1, middle),
  '=': (now) => zoomed(now, 1.1, middle),
  '-': (now) => zoomed(now, 1 / 1.1, middle),
}
