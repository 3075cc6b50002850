import type { Attr, Graph, Value } from './graph.ts'
import { liveNodes } from './rewrite.ts'
import { formatShape } from './tensor.ts'

/** The graph as text, a line a node: `%4 = conv(%1, %2) {strides: [1, 1]} float32[1, 8, 64, 64]  # stem`. */
export function printGraph(graph: Graph): string {
  const lines = liveNodes(graph).map((node) => {
    const inputs = node.inputs.map(reference).join(', ')
    const attrs = Object.entries(node.attrs).map(([name, value]) => `${name}: ${formatAttr(value)}`)
    const types = node.outputs.map((output) => `${output.dtype}${formatShape(output.shape)}`).join(', ')
    const braces = attrs.length === 0 ? '' : ` {${attrs.join(', ')}}`
    const scope = node.scope === '' ? '' : `  # ${node.scope}`
    return `%${node.id} = ${node.op.name}(${inputs})${braces} ${types}${scope}`
  })
  for (const [name, value] of graph.outputs) lines.push(`return ${name} = ${reference(value)}`)
  return `${lines.join('\n')}\n`
}

function reference(value: Value): string {
  return value.node.outputs.length > 1 ? `%${value.node.id}.${value.index}` : `%${value.node.id}`
}

function formatAttr(attr: Attr): string {
  if (Array.isArray(attr)) return `[${attr.join(', ')}]`
  if (typeof attr === 'object' && 'data' in attr) return `${attr.dtype}${formatShape(attr.shape)}`
  return typeof attr === 'string' ? JSON.stringify(attr) : String(attr)
}
