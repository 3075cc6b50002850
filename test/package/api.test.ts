// The API is closed: typedoc finds every type that a public signature names exported, and every public name documented.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

test('each public name has a doc comment, and each type that a public signature names is exported', async () => {
  // typedoc.json says what is an error.
  const { code, output } = await promisify(execFile)(process.execPath, [
    'node_modules/typedoc/bin/typedoc',
    '--emit',
    'none',
  ]).then(
    ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
    (error: { code?: number; stdout?: string; stderr?: string }) => ({
      code: error.code,
      output: `${error.stdout}${error.stderr}`,
    }),
  )
  expect(code, output).toBe(0)
})
