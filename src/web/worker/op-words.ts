import type { Node } from '../../graph/graph.ts'

/** What a part of a network does, in words, as its graph says. */

/** Ops that only move or hold data say nothing of what a block computes. */
const silent: ReadonlySet<string> = new Set([
  'input',
  'parameter',
  'constant',
  'reshape',
  'transpose',
  'expand',
  'cast',
])

const words: Readonly<Record<string, string>> = {
  batchNormalise: 'norm',
  normalise: 'norm',
  maxPool: 'max pool',
  averagePool: 'mean pool',
  reduceMean: 'mean',
  reduceSum: 'sum',
  gridSample: 'sample',
  matmul: 'product',
  concat: 'join',
}

/** `3x1 conv, relu, 1x3 conv, norm, add`; what follows itself is counted: `add x 3`. */
export function opsInWords(nodes: readonly Node[]): string {
  const parts: { readonly text: string; count: number }[] = []
  for (const node of nodes) {
    if (silent.has(node.op.name)) continue
    const text = inWords(node)
    const last = parts.at(-1)
    if (last?.text === text) last.count++
    else parts.push({ text, count: 1 })
  }
  return parts.map(({ text, count }) => (count > 1 ? `${text} x ${count}` : text)).join(', ')
}

function inWords({ op, inputs, attrs }: Node): string {
  if (op.name !== 'conv' && op.name !== 'convTranspose') return words[op.name] ?? op.name
  const [, , height, width] = inputs[1]!.shape as [number, number, number, number]
  const channels = inputs[0]!.shape[1]!
  const group = typeof attrs.group === 'number' ? attrs.group : 1
  const kind =
    group === channels && group > 1 ? 'depthwise conv' : group > 1 ? `conv in ${group} groups` : 'conv'
  const stride = largest(attrs.strides)
  const dilation = largest(attrs.dilations)
  return [
    `${height}x${width} ${op.name === 'conv' ? kind : 'transposed conv'}`,
    stride > 1 && `stride ${stride}`,
    dilation > 1 && `dilation ${dilation}`,
  ]
    .filter(Boolean)
    .join(' ')
}

function largest(attribute: unknown): number {
  return Array.isArray(attribute) ? Math.max(...attribute.map(Number)) : 1
}
