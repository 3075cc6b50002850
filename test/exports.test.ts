import { createRequire } from 'node:module'
import { expect, test } from 'vitest'

/** What is built is found by the package's names, as who installed it finds it. */

const { resolve } = createRequire(import.meta.url)

test('the worker that a page serves is found beside the library', () => {
  expect(resolve('pantin/web')).toMatch(/dist.web.index\.js$/)
  expect(resolve('pantin/web/worker.js')).toMatch(/dist.web.worker\.js$/)
})
