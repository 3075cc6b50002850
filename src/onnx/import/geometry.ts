import type { OnnxNode } from './node.ts'

/** How a window moves over an image, read from the attributes that Conv and the pools share. */
export interface Geometry {
  readonly strides: readonly [number, number]
  /** Rows and columns added at the top, left, bottom and right. */
  readonly pads: readonly [number, number, number, number]
  readonly dilations: readonly [number, number]
}

/** No real network comes near it, and memory is safe below it. */
const largest = 1 << 14

/** @throws FormatError unless the attribute holds `count` whole numbers from `least` on. */
export function sizes(node: OnnxNode, name: string, count: number, least: number): number[] | undefined {
  const list = node.ints(name)
  if (list === undefined || (list.length === count && list.every((n) => n >= least && n <= largest)))
    return list
  return node.refuse(`the attribute "${name}" does not fit an image`, {
    got: `[${list.slice(0, 8).join(', ')}]`,
    expected: `${count} whole numbers from ${least} to ${largest}`,
  })
}

/** The pair of an attribute, or the same number twice. */
export function pair(node: OnnxNode, name: string, fallback: number): [number, number] {
  const list = sizes(node, name, 2, 1)
  return list === undefined ? [fallback, fallback] : [list[0]!, list[1]!]
}

/** @param kernel height and width of the window @param image shape [N, C, H, W] */
export function geometryOf(node: OnnxNode, kernel: readonly number[], image: readonly number[]): Geometry {
  const strides = pair(node, 'strides', 1)
  const dilations = pair(node, 'dilations', 1)
  const [top = 0, left = 0, bottom = 0, right = 0] = sizes(node, 'pads', 4, 0) ?? []
  const auto = node.text('auto_pad', 'NOTSET')
  if (auto === 'NOTSET') return { strides, dilations, pads: [top, left, bottom, right] }
  if (auto === 'VALID') return { strides, dilations, pads: [0, 0, 0, 0] }
  if (auto !== 'SAME_UPPER' && auto !== 'SAME_LOWER') node.refuse('an unknown auto_pad', { got: auto })
  const same = (axis: 0 | 1): [before: number, after: number] => {
    const size = image[2 + axis] ?? 1
    const reach = (kernel[axis]! - 1) * dilations[axis] + 1
    const total = Math.max(0, (Math.ceil(size / strides[axis]) - 1) * strides[axis] + reach - size)
    const less = Math.floor(total / 2)
    return auto === 'SAME_UPPER' ? [less, total - less] : [total - less, less]
  }
  const [rows, columns] = [same(0), same(1)]
  return { strides, dilations, pads: [rows[0], columns[0], rows[1], columns[1]] }
}
