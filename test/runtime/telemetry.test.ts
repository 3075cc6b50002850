// ONNX Runtime tells its maker nothing: no identifier of the machine is written, and no events are kept to be sent.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Compiled, compile } from '../support/compile.ts'

const script = (url: (path: string) => string) => `
import { Graph } from ${JSON.stringify(url('src/graph/graph.ts'))}
import { add } from ${JSON.stringify(url('src/graph/ops/arithmetic.ts'))}
import { input } from ${JSON.stringify(url('src/graph/ops/leaf.ts'))}
import { createSession } from ${JSON.stringify(url('src/runtime/node.ts'))}
const graph = new Graph()
const x = input(graph, 'x', 'float32', [1])
graph.output('y', add(x, x))
await createSession(graph, { device: 'cpu' })
`

// ONNX Runtime sends nothing where tests or builds run, so the child must not see that they do.
const { CI: _ci, ORT_RUNNING_UNIT_TESTS: _tests, ORT_DISABLE_TELEMETRY: _disabled, ...plain } = process.env

describe.skipIf(process.platform !== 'linux')('a session', () => {
  let compiled: Compiled
  let home: string
  beforeAll(() => {
    compiled = compile(
      ...[
        'src/graph/graph.ts',
        'src/graph/ops/arithmetic.ts',
        'src/graph/ops/leaf.ts',
        'src/runtime/node.ts',
      ],
    )
    home = mkdtempSync(join(tmpdir(), 'pantin-tests-'))
  })
  afterAll(() => {
    compiled.remove()
    rmSync(home, { recursive: true, force: true })
  })

  /** Whether a process that opens a session leaves files of ONNX Runtime's telemetry in its user's folder. */
  const leftBy = (user: string, variables: Record<string, string>): boolean => {
    const folder = join(home, user)
    mkdirSync(folder)
    const file = join(compiled.folder, `${user}.js`)
    writeFileSync(file, script(compiled.url))
    // The proxy is not there: what the second test keeps cannot be sent.
    const nowhere = { HTTPS_PROXY: 'http://127.0.0.1:9', https_proxy: 'http://127.0.0.1:9' }
    const env = { ...plain, ...nowhere, HOME: folder, XDG_CACHE_HOME: join(folder, '.cache'), ...variables }
    const { status, stderr } = spawnSync(process.execPath, [file], { env, encoding: 'utf8', timeout: 50_000 })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    return existsSync(join(folder, '.cache', 'Microsoft'))
  }

  test('leaves no telemetry', () => {
    expect(leftBy('one', {})).toBe(false)
  })

  test('leaves it where somebody asks for it, so that the test above can fail', () => {
    expect(leftBy('two', { ORT_DISABLE_TELEMETRY: '0' })).toBe(true)
  })
})
