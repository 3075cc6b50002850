// docs/cli.md is what the commands' help says now, and docs/guide/evaluate.md lists the measures that there are now.
// `npm run docs` writes both.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { commandPage } from '../../scripts/docs/command-page.ts'
import { withMeasureTables } from '../../scripts/docs/measure-table.ts'

it('the reference of the command line', async () => {
  await expect(commandPage()).toMatchFileSnapshot(
    fileURLToPath(new URL('../../docs/cli.md', import.meta.url)),
  )
})

it('the measures in the guide', async () => {
  const guide = fileURLToPath(new URL('../../docs/guide/evaluate.md', import.meta.url))
  await expect(withMeasureTables(readFileSync(guide, 'utf8'))).toMatchFileSnapshot(guide)
})
