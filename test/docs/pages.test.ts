import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { blockIndex, blockPage } from '../../scripts/docs/block-page.ts'
import { blocksUsed } from '../../scripts/docs/block-sources.ts'
import { networkIndex, networkPage } from '../../scripts/docs/network-page.ts'
import { input } from '../../src/graph/ops/leaf.ts'
import { blocks } from '../../src/layers/index.ts'
import { netNames } from '../../src/zoo/registry.ts'

/** The pages of docs/ are what the code says now. `npm run docs` writes them. */

const docs = fileURLToPath(new URL('../../docs/', import.meta.url))

describe('networks', () => {
  it.each(netNames)('%s', async (name) => {
    await expect(await networkPage(name)).toMatchFileSnapshot(`${docs}networks/${name}.md`)
  })

  it('are listed', async () => {
    await expect(networkIndex()).toMatchFileSnapshot(`${docs}networks/README.md`)
    expect(strangersIn('networks', netNames)).toEqual([])
  })
})

describe('blocks', () => {
  it.each(blocks.map((block) => ({ name: block.name, block })))('$name', async ({ name, block }) => {
    await expect(blockPage(block)).toMatchFileSnapshot(`${docs}blocks/${name}.md`)
  })

  it('are listed', async () => {
    await expect(blockIndex()).toMatchFileSnapshot(`${docs}blocks/README.md`)
    expect(
      strangersIn(
        'blocks',
        blocks.map(({ name }) => name),
      ),
    ).toEqual([])
  })

  it.each(blocks.flatMap(({ name, examples }) => examples.map((example) => ({ name, ...example }))))(
    '$name is found in a graph that it builds, $label',
    ({ name, input: shape, build }) => {
      const used = blocksUsed((scope, graph) => {
        build(scope, input(graph, 'x', 'float32', shape))
      })
      expect(Array.from(used, (block) => block.name)).toContain(name)
    },
  )
})

/** Pages that are left of what was taken away. */
const strangersIn = (folder: string, names: readonly string[]) =>
  readdirSync(docs + folder).filter((file) => !['README', ...names].includes(file.replace(/\.md$/, '')))
