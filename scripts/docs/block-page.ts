// The page of a block, and the list of all blocks.

import { blocks } from '../../src/layers/index.ts'
import type { Block } from '../../src/layers/scope.ts'
import { networksOf, sourceOf } from './block-sources.ts'
import { documentedIn, optionsIn } from './comments.ts'
import { generated, table, whole } from './tables.ts'

/** The page of a block: what the code says of it, and what its examples cost. */
export function blockPage(block: Block): string {
  const { file, section } = sourceOf(block)
  const parts = documentedIn(section).map(({ name, code, markdown }) =>
    name === undefined ? markdown : `## \`${name}\`\n\n\`\`\`ts\n${code}\n\`\`\`\n\n${markdown}`,
  )
  const options = optionsIn(section)
  return `${[
    generated,
    `# ${block.title}`,
    `Source: [\`src/layers/${file}\`](../../src/layers/${file}). ${usedBy(block)}`,
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

function usedBy(block: Block): string {
  const nets = networksOf(block)
  if (nets.length === 0) return 'No network of the zoo is made of it: it is for networks of your own.'
  return `Used by ${nets.map((net) => `[${net}](../networks/${net}.md)`).join(', ')}.`
}

/** The list of all blocks. */
export function blockIndex(): string {
  const rows = blocks.map((block) => [
    `[${block.title}](${block.name}.md)`,
    networksOf(block).join(', ') || 'none',
  ])
  return `${[
    generated,
    '# Blocks',
    'Functions from values to values, to compose networks of: `block(scope, x, options)`. Each page has the ' +
      "block's picture, source and formulas, which tests hold to the built graph.",
    table(['Block', 'Networks'], rows),
  ].join('\n\n')}\n`
}
