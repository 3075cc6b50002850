// Where each block stands in src/layers, and which networks of the zoo are made of it. Both are found, not kept.

import { readdirSync, readFileSync } from 'node:fs'
import { Graph, type Value } from '../../src/graph/graph.ts'
import type { Attrs, OpDef } from '../../src/graph/op.ts'
import { input } from '../../src/graph/ops/leaf.ts'
import { blocks } from '../../src/layers/index.ts'
import { type Block, Scope } from '../../src/layers/scope.ts'
import { findNet, netNames } from '../../src/zoo/registry.ts'
import { documentedIn } from './comments.ts'

const folder = new URL('../../src/layers/', import.meta.url)

export interface BlockSource {
  /** In src/layers. */
  readonly file: string
  /** The part of the file that is the block's own: from the end of the entry before it to its own entry. */
  readonly section: string
}

const sources: ReadonlyMap<string, BlockSource> = new Map(readdirSync(folder).flatMap(sectionsOf))

/** Where a block's function, options and entry stand. @throws if no file has its entry */
export function sourceOf({ name }: Block): BlockSource {
  const source = sources.get(name)
  if (source === undefined) throw new Error(`no file of src/layers has the entry of ${name}`)
  return source
}

function sectionsOf(file: string): [name: string, source: BlockSource][] {
  const text = readFileSync(new URL(file, folder), 'utf8')
  const parts = text.split(/^export const \w+: Block = (\{[\s\S]*?^\})/m)
  // Sections and entries take turns; what comes after the last entry belongs to no block.
  return parts.flatMap((entry, i) => {
    const name = i % 2 === 1 ? /^ {2}name: '([^']+)',$/m.exec(entry)?.[1] : undefined
    return name === undefined ? [] : [[name, { file, section: parts[i - 1]! }]]
  })
}

/** The block that each exported function is a part of. */
const blockOf: ReadonlyMap<string, Block> = new Map(
  blocks.flatMap((block) =>
    documentedIn(sourceOf(block).section).flatMap(({ name }) =>
      name === undefined ? [] : [[name, block] as const],
    ),
  ),
)

/** A graph that notes whose functions add nodes to it: each node's makers stand on the call stack. */
class WatchedGraph extends Graph {
  readonly used = new Set<Block>()

  override apply<A extends Attrs>(op: OpDef<A>, inputs: readonly Value[], attrs: A): readonly Value[] {
    for (const caller of callers()) {
      const block = blockOf.get(caller)
      if (block !== undefined) this.used.add(block)
    }
    return super.apply(op, inputs, attrs)
  }
}

/** The names of the functions that are running. */
function callers(): string[] {
  const { prepareStackTrace, stackTraceLimit } = Error
  const holder: { stack?: unknown } = {}
  try {
    Error.stackTraceLimit = Number.POSITIVE_INFINITY
    Error.prepareStackTrace = (_, frames) => frames.map((frame) => frame.getFunctionName() ?? '')
    Error.captureStackTrace(holder)
    return Array.isArray(holder.stack) ? holder.stack.map(String) : []
  } finally {
    Object.assign(Error, { prepareStackTrace, stackTraceLimit })
  }
}

/** The blocks whose functions `build` calls, directly or through another block. */
export function blocksUsed(build: (scope: Scope, graph: Graph) => void): ReadonlySet<Block> {
  const graph = new WatchedGraph()
  build(Scope.root(graph, { training: false }), graph)
  return graph.used
}

let usedByNet: ReadonlyMap<string, ReadonlySet<Block>> | undefined

/** The blocks that a network of the zoo is made of, in the order of the registry of blocks. */
export function blocksOf(net: string): readonly Block[] {
  usedByNet ??= new Map(
    netNames.map((name) => {
      const net = findNet(name)
      const side = Math.max(64, net.multiple())
      const used = blocksUsed((scope, graph) => {
        net.build(scope, input(graph, 'x', 'float32', [1, 3, side, side]), { outputs: 10 })
      })
      return [name, used]
    }),
  )
  return blocks.filter((block) => usedByNet?.get(net)?.has(block))
}

/** The networks of the zoo that are made of a block. */
export const networksOf = (block: Block): readonly string[] =>
  netNames.filter((name) => blocksOf(name).includes(block))
