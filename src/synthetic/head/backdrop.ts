// What is behind a synthetic person: walls, gradients, blurred shapes, in linear light.

import type { Random } from '../../util/random.ts'
import { type Albedo, albedo } from './look.ts'
import { clamp, mix, noise2, smoothstep } from './numbers.ts'

/** A picture that is larger than the frame, so that a moving camera never sees its edge. */
export interface Backdrop {
  readonly side: number
  /** [side, side, 3], linear. */
  readonly pixels: Float32Array
}

const walls = [
  '#cfcac2',
  '#a7a39c',
  '#7d7a76',
  '#e4e1da',
  '#4a4c50',
  '#26282c',
  '#b7c3cc',
  '#7f95a8',
  '#4d6379',
  '#c6b59c',
  '#93795c',
  '#5f4a38',
  '#d9c6b4',
  '#8a9a86',
  '#a5565a',
  '#3b4a63',
].map(albedo)

/** Paints a backdrop. */
export function paintBackdrop(random: Random, side: number): Backdrop {
  const pixels = new Float32Array(side * side * 3)
  const [first, second] = [random.pick(walls), random.pick(walls)]
  const seed = random.uint32() | 0
  const slant = random.between(-1, 1)
  const cloudy = random.uniform() < 0.5 ? random.between(0.1, 0.5) : 0.05
  const shapes = random.uniform() < 0.6 ? drawShapes(random) : []
  const blur = random.between(0.01, 0.09)
  const strength = random.between(0.5, 1)
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const [x, y] = [(2 * column) / side - 1, (2 * row) / side - 1]
      const t = clamp(0.5 + 0.35 * (y + slant * x) + cloudy * (noise2(x * 2.5, y * 2.5, 0, seed) - 0.5), 0, 1)
      const grain = 0.94 + 0.12 * noise2(x * 9, y * 9, 1, seed)
      const at = 3 * (row * side + column)
      for (let channel = 0; channel < 3; channel++) {
        let value = mix(first[channel]!, second[channel]!, t * strength)
        for (const { inside, colour } of shapes) value = mix(value, colour[channel]!, inside(x, y, blur))
        pixels[at + channel] = value * grain
      }
    }
  }
  return { side, pixels }
}

interface Shape {
  readonly colour: Albedo
  /** 0 outside to 1 inside. */
  inside(x: number, y: number, blur: number): number
}

function drawShapes(random: Random): Shape[] {
  return Array.from({ length: 2 + random.integer(6) }, () => {
    const [cx, cy] = [random.between(-1.1, 1.1), random.between(-1.1, 1.1)]
    const [w, h] = [random.between(0.08, 0.5), random.between(0.08, 0.7)]
    const isRound = random.uniform() < 0.35
    return {
      colour: random.pick(walls),
      inside: (x: number, y: number, blur: number) => {
        const [dx, dy] = [Math.abs(x - cx) / w, Math.abs(y - cy) / h]
        const out = isRound ? Math.sqrt(dx * dx + dy * dy) : Math.max(dx, dy)
        return 0.85 * smoothstep(1 + blur / Math.min(w, h), 1 - blur / Math.min(w, h), out)
      },
    }
  })
}
