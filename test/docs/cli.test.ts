// docs/cli.md is what the commands' help says now. `npm run docs` writes it.
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { commandPage } from '../../scripts/docs/command-page.ts'

it('the reference of the command line', async () => {
  await expect(commandPage()).toMatchFileSnapshot(
    fileURLToPath(new URL('../../docs/cli.md', import.meta.url)),
  )
})
