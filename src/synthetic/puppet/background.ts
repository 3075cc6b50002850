// The scene behind a puppet: wallpaper, hills, a stage or a night sky.
import type { Random } from '../../util/random.ts'
import { type Point, place, sin } from '../arithmetic.ts'
import type { Canvas, Paint, Rgb } from './canvas.ts'
import type { Palette } from './character.ts'
import { dots, Grain, lozenges, mix, plain, shadeOf, step, stripes, triangle } from './paints.ts'
import { box, disc, polygon, type Shape, union } from './shapes.ts'

const centre = place(0, 0)

/** Paints the scene behind the puppet. It does not move, so it is painted once per clip. */
export function paintBackground(canvas: Canvas, palette: Palette, random: Random): void {
  const scene = random.pick([wallpaper, hills, stage, night])
  const grain = new Grain(random)
  const strength = 0.03 * Math.min(1, canvas.size / 256)
  scene(canvas, palette, random, (paint) => grain.on(paint, strength, 120))
  vignette(canvas)
}

type Texture = (paint: Paint) => Paint

function wallpaper(canvas: Canvas, { wall, wall2, accent, rim }: Palette, random: Random, on: Texture): void {
  const soft = 2 / canvas.size
  const faint = mix(wall, wall2, 0.75)
  const print = random.pick([
    stripes(wall, faint, random.between(0.14, 0.24), soft, 1, 0),
    dots(wall, faint, random.between(0.17, 0.24), 0.035, soft),
    lozenges(wall, faint, random.between(0.22, 0.32), soft),
  ])
  canvas.fill(on(print))
  const skirting = random.between(0.62, 0.74)
  const wood = mix(accent, wall2, 0.55)
  canvas.shade(box(0, skirting + 0.25, 1.2, 0.25), place(0, 0.01), 0.04, 0.25)
  canvas.paint(
    box(0, skirting + 0.3, 1.2, 0.3),
    centre,
    on(stripes(wood, shadeOf(wood, 0.93), 0.22, soft, 1, 0)),
  )
  canvas.paint(box(0, skirting + 0.018, 1.2, 0.022), centre, on(plain(mix(rim, wood, 0.25))))
}

function hills(canvas: Canvas, palette: Palette, random: Random, on: Texture): void {
  const sky = mix(0xbfe0e8, palette.wall, random.between(0.2, 0.6))
  canvas.fill(on((_x, y) => mix(sky, 0xfff3d6, Math.min(Math.max((y + 1) / 1.5, 0), 1))))
  const sun: Point = [random.between(-0.7, 0.7), random.between(-0.75, -0.5)]
  card(canvas, disc(sun[0], sun[1], 0.17), on(plain(0xf6c453)))
  for (let i = 0; i < 3; i++) {
    const [x, y, r] = [random.between(-0.9, 0.9), random.between(-0.85, -0.3), random.between(0.06, 0.1)]
    const puffs = [-1.3, 0, 1.3].map((k) => disc(x + k * r, y - (k === 0 ? r * 0.45 : 0), r))
    card(canvas, union(...puffs, box(x, y + r * 0.5, r * 2, r * 0.5, r * 0.4)), on(plain(0xfffdf6)))
  }
  const greens: readonly Rgb[] = [0xa9c7a0, 0x86b07f, 0x6a9963]
  greens.forEach((green, i) => {
    const base = 0.28 + 0.24 * i
    card(canvas, hill(random, base), on(plain(mix(green, palette.wall2, 0.2 - 0.08 * i))))
    if (i < 2) for (let k = 0; k < 2; k++) tree(canvas, random, base, on)
  })
}

function hill(random: Random, base: number): Shape {
  const [f1, f2] = [random.between(1.5, 2.6), random.between(3, 4.6)]
  const [p1, p2] = [random.between(0, 6), random.between(0, 6)]
  const ridge = Array.from({ length: 25 }, (_, i): Point => {
    const x = -1.2 + i / 10
    return [x, base + 0.09 * sin(f1 * x + p1) + 0.035 * sin(f2 * x + p2)]
  })
  return polygon([...ridge, [1.2, 1.2], [-1.2, 1.2]])
}

function tree(canvas: Canvas, random: Random, base: number, on: Texture): void {
  const side = random.uniform() < 0.5 ? -1 : 1
  const x = side * random.between(0.55, 0.92)
  const h = random.between(0.18, 0.3)
  const green = random.pick([0x4f8a5b, 0x3f7a66, 0x6f9c4f])
  card(canvas, box(x, base + 0.08, 0.016, 0.08), on(plain(0x7a5638)))
  const crown =
    random.uniform() < 0.5
      ? disc(x, base - h * 0.3, h * 0.42)
      : polygon(
          [
            [x - h * 0.34, base + 0.04],
            [x, base - h],
            [x + h * 0.34, base + 0.04],
          ],
          0.015,
        )
  card(canvas, crown, on(plain(green)))
}

function stage(canvas: Canvas, palette: Palette, random: Random, on: Texture): void {
  const cloth = random.pick([0xa83238, 0x2f5f73, 0x6a3d6f, 0x3f6b4a])
  const soft = 2 / canvas.size
  canvas.fill(on((x, y) => mix(palette.wall, palette.wall2, Math.min(1, 0.55 * (x * x + y * y)))))
  const floor = 0.66
  canvas.paint(box(0, floor + 0.2, 1.2, 0.2), centre, on(stripes(0xb98a5a, 0xa97b4d, 0.3, soft, 1, 0.35)))
  const folds: Paint = (x) => shadeOf(cloth, 0.78 + 0.34 * triangle(x * 5.5) * triangle(x * 5.5 + 0.1))
  for (const side of [-1, 1]) {
    const drape = polygon(
      [
        [side * 1.2, -1.2],
        [side * 0.55, -1.2],
        [side * 0.66, -0.35],
        [side * 0.86, 0.15],
        [side * 0.72, floor + 0.12],
        [side * 1.2, floor + 0.12],
      ],
      0.02,
    )
    card(canvas, drape, on(folds))
    card(canvas, box(side * 0.93, 0.16, 0.12, 0.03, 0.02), on(plain(0xe3b653)))
  }
  const scallops = Array.from({ length: 7 }, (_, i) => disc(-0.99 + i * 0.33, -0.86, 0.17))
  card(
    canvas,
    union(...scallops, box(0, -1.02, 1.2, 0.16)),
    on((x) => shadeOf(cloth, 0.9 + 0.2 * triangle(x * 3 + 0.5))),
  )
  canvas.paint(box(0, -0.985, 1.2, 0.018), centre, on(plain(0xe3b653)))
}

function night(canvas: Canvas, palette: Palette, random: Random, on: Texture): void {
  const deep = mix(0x24365e, palette.trousers, 0.18)
  canvas.fill(on((_x, y) => mix(deep, mix(deep, palette.wall, 0.5), step(y - 0.1, 1.9))))
  const x = random.between(-0.6, 0.6)
  card(canvas, disc(x, -0.55, 0.2), on(plain(0xf7e6a8)))
  canvas.paint(disc(x + 0.06, -0.6, 0.04), centre, on(plain(0xead38a)))
  canvas.paint(disc(x - 0.07, -0.5, 0.028), centre, on(plain(0xead38a)))
  for (let i = 0; i < 26; i++) {
    const at = place(random.between(-1, 1), random.between(-1, 0.35), random.between(0, 1.2))
    canvas.paint(star(random.between(0.014, 0.032)), at, plain(0xfdf2c4))
  }
  const town = mix(deep, 0x10182c, 0.45)
  for (let left = -1.1; left < 1.1; ) {
    const [w, h] = [random.between(0.08, 0.17), random.between(0.18, 0.45)]
    const roof: readonly Point[] = [
      [left, 1.1],
      [left, 0.95 - h],
      [left + w, 0.95 - h - w * 0.8],
      [left + 2 * w, 0.95 - h],
      [left + 2 * w, 1.1],
    ]
    card(canvas, polygon(roof), on(plain(shadeOf(town, random.between(0.85, 1.25)))))
    for (const k of [0.55, 1.3]) {
      if (random.uniform() < 0.7) {
        canvas.paint(box(left + k * w, 0.95 - h + w * 0.5, w * 0.17, w * 0.24), centre, plain(0xf6c75a))
      }
    }
    left += 2 * w
  }
}

function star(radius: number): Shape {
  const corner = (i: number): Point => {
    const r = i % 2 === 0 ? radius : radius * 0.42
    const angle = (i * Math.PI) / 5
    return [r * sin(angle), r * sin(angle + Math.PI / 2)]
  }
  return polygon(Array.from({ length: 10 }, (_, i) => corner(i)))
}

/** Paints a cut-out layer with a soft shadow. */
function card(canvas: Canvas, shape: Shape, paint: Paint): void {
  canvas.shade(shape, place(0.012, 0.016), 0.03, 0.22)
  canvas.paint(shape, centre, paint)
}

/** Darkens the corners a little, so that the puppet stands out. */
function vignette(canvas: Canvas): void {
  const { data, size } = canvas
  const scale = 2 / (size - 1)
  for (let y = 0, i = 0; y < size; y++) {
    for (let x = 0; x < size; x++, i += 3) {
      const [u, v] = [x * scale - 1, y * scale - 1]
      const r = u * u + v * v
      const keep = 1 - 0.055 * r * r
      for (let c = i; c < i + 3; c++) data[c] = data[c]! * keep + 0.5
    }
  }
}
