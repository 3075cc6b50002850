import { readFileSync } from 'node:fs'
import type { Block } from '../../src/layers/block.ts'
import { blocks } from '../../src/layers/blocks.ts'
import { documentedIn, optionsIn } from './comments.ts'
import { generated, table, whole } from './tables.ts'

/** The page of a block: what the code says of it, and what its examples cost. */
export function blockPage(block: Block): string {
  const source = readFileSync(new URL(`../../src/layers/${block.file}`, import.meta.url), 'utf8')
  const parts = documentedIn(sectionOf(block, source)).map(({ name, code, markdown }) =>
    name === undefined ? markdown : `## \`${name}\`\n\n\`\`\`ts\n${code}\n\`\`\`\n\n${markdown}`,
  )
  const options = optionsIn(source)
  return `${[
    generated,
    `# ${block.title}`,
    `Source: [\`src/layers/${block.file}\`](../../src/layers/${block.file}). ${usedBy(block)}`,
    ...parts,
    ...(options.length === 0 ? [] : ['## Options', `\`\`\`ts\n${options.join('\n\n')}\n\`\`\``]),
    '## Examples',
    table(
      ['Example', 'Input', 'Parameters', 'Multiply-adds'],
      block.examples.map(({ label, input, cost }) => [
        label,
        input.join('x'),
        whole(cost.params),
        whole(cost.macs),
      ]),
    ),
    'A test builds each example and counts it.',
  ].join('\n\n')}\n`
}

/** A file with several blocks has them one after another: what stands before a block's entry is its own. */
function sectionOf({ name }: Block, source: string): string {
  const sections = source.split(/^(?=export const \w+: Block = \{)/m)
  if (sections.length < 3) return source
  const at = sections.findIndex((section) => section.includes(`name: '${name}',`))
  return sections[at - 1]!.replace(/^export const \w+: Block = \{[\s\S]*?^\}/m, '')
}

function usedBy({ usedBy }: Block): string {
  if (usedBy.length === 0) return 'No network of the zoo is made of it: it is for networks of your own.'
  return `Used by ${usedBy.map((net) => `[${net}](../networks/${net}.md)`).join(', ')}.`
}

/** The list of all blocks. */
export function blockIndex(): string {
  const rows = blocks.map((block) => [
    `[${block.title}](${block.name}.md)`,
    block.usedBy.length === 0 ? 'none' : block.usedBy.join(', '),
  ])
  return `${[
    generated,
    '# Blocks',
    'Functions from values to values, to compose networks of: `block(scope, x, options)`. Each page has the ' +
      "block's picture, source and formulas, which tests hold to the built graph.",
    table(['Block', 'Networks'], rows),
  ].join('\n\n')}\n`
}
