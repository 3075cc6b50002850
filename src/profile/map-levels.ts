import type { Node } from '../graph/graph.ts'
import { inputInfo } from '../graph/ops/leaf.ts'
import { sizeOf } from '../graph/tensor.ts'

/** Where in the pyramid of resolutions a node computes. */
export interface MapLevel {
  /**
   * How often the picture's sides are halved, rounded: 0 at full resolution, 3 at 1/8. Undefined where the
   * result is no map: a global mean, or numbers read from maps.
   */
  readonly level: number | undefined
}

/** Ops that make maps of whatever has rows and columns. */
const makeMaps: ReadonlySet<string> = new Set([
  'conv',
  'convTranspose',
  'maxPool',
  'averagePool',
  'resize',
  'gridSample',
])

/** The level of every node that depends on the picture. */
export function mapLevels(nodes: readonly Node[]): Map<Node, MapLevel> {
  const levels = new Map<Node, MapLevel>()
  let picture = 1
  for (const node of nodes) {
    const info = inputInfo(node)
    if (info !== undefined) picture = sizeOf(info.shape.slice(-2))
    const sources = node.inputs.filter((value) => levels.has(value.node))
    if (info === undefined && sources.length === 0) continue
    const shape = node.outputs[0]!.shape
    const [h, w] = shape.slice(-2) as [number, number]
    const sameSize = (other: readonly number[]) => other.at(-2) === h && other.at(-1) === w
    const maps = sources.filter((value) => levels.get(value.node)!.level !== undefined)
    const isMap =
      info !== undefined ||
      (makeMaps.has(node.op.name)
        ? (maps.length > 0 && !isGlobalPool(node)) || h * w > 1
        : shape.length >= 4 && maps.some(({ shape }) => sameSize(shape)))
    levels.set(node, { level: isMap ? Math.round(Math.log2(picture / (h * w)) / 2) : undefined })
  }
  return levels
}

/** A window as large as the map. */
function isGlobalPool({ op, inputs, outputs }: Node): boolean {
  const [from, to] = [inputs[0]!.shape, outputs[0]!.shape]
  return op.name.endsWith('Pool') && sizeOf(to.slice(2)) === 1 && sizeOf(from.slice(2)) > 4
}
