import { execFileSync } from 'node:child_process'
import {
  cpSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { explain, missingPart } from '../../src/cli/process.ts'
import { EnvironmentError } from '../../src/util/errors.ts'

/** Packages without the parts for this system, as `--omit=optional`, Alpine and copied folders make them. */

const glibc = { name: 'linux x64', libc: 'glibc' } as const
const musl = { name: 'linux x64', libc: 'musl' } as const
let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pantin-native-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const failed = (message: string, more: object = {}) => Object.assign(new Error(message), more)
const dlopen =
  'Error loading shared library ld-linux-x86-64.so.2: No such file or directory (needed by /a/onnxruntime_binding.node)'

it('names the package, the system and the way out', () => {
  const missing = failed("Cannot find module '../bin/napi-v6/linux/x64/onnxruntime_binding.node'", {
    code: 'MODULE_NOT_FOUND',
  })
  const found = missingPart(missing, glibc)!
  expect(found).toBeInstanceOf(EnvironmentError)
  expect(found.message).toMatch(/onnxruntime-node.*linux x64, glibc.*npm install/s)
  expect(missingPart(failed(dlopen, { code: 'ERR_DLOPEN_FAILED' }), musl)!.message).toMatch(
    /glibc, such as node:22-slim/,
  )
  expect(missingPart(missing, { name: 'darwin x64', libc: undefined })!.message).toMatch(/darwin arm64/)
  for (const error of [
    failed("Cannot find package '@img/colour' imported from /a/node_modules/sharp/dist/colour.mjs", {
      code: 'ERR_MODULE_NOT_FOUND',
    }),
    failed('Could not load the "sharp" module using the linux-x64 runtime\nPossible solutions:'),
  ]) {
    expect(missingPart(error, musl)!.message).toMatch(
      /sharp.*--include=optional --os=linux --cpu=x64 --libc=musl sharp/s,
    )
  }
})

it('is an error of the environment in every command, with and without --json', () => {
  const { exitCode, text, json } = explain(
    failed("Cannot find package 'onnxruntime-node' imported from /a/b.js", { code: 'ERR_MODULE_NOT_FOUND' }),
    false,
  )
  expect([exitCode, json?.error]).toMatchObject([1, { name: 'EnvironmentError', exitCode: 1 }])
  expect(text).not.toMatch(/bug/)
})

it('leaves other errors as they are', () => {
  for (const error of [
    failed('onnxruntime says no'),
    failed("Cannot find module './x'", { code: 'MODULE_NOT_FOUND' }),
    'sharp',
    null,
  ]) {
    expect(missingPart(error)).toBeUndefined()
  }
})

it('recognises what the packages of today throw', () => {
  const require = createRequire(import.meta.url)
  const [app, store] = [join(folder, 'app'), join(folder, 'app/node_modules')]
  cpSync(
    join(require.resolve('onnxruntime-node'), '../../package.json'),
    join(store, 'onnxruntime-node/package.json'),
  )
  cpSync(join(require.resolve('onnxruntime-node'), '..'), join(store, 'onnxruntime-node/dist'), {
    recursive: true,
  })
  cpSync(join(require.resolve('onnxruntime-common'), '../../..'), join(store, 'onnxruntime-common'), {
    recursive: true,
  })
  writeFileSync(join(app, 'a.cjs'), '')
  const thrown = (name: string): unknown => {
    try {
      return createRequire(join(app, 'a.cjs'))(name)
    } catch (error) {
      return error
    }
  }
  expect(missingPart(thrown('onnxruntime-node'))?.problem.where).toBe('onnxruntime-node')
})

describe('the script before the installation', () => {
  const script = fileURLToPath(new URL('../../scripts/skip-cuda-download.cjs', import.meta.url))
  const name = 'node_modules/onnxruntime-node/script'
  const text = "module.exports = {\n    'linux/x64': ['cuda12'],\n};\n"

  /** An app whose files are hard links into a store, and the list of parts in both after the script. */
  function run(env: Record<string, string>): readonly [app: string, store: string] {
    const app = mkdtempSync(join(folder, 'app-'))
    mkdirSync(join(app, name), { recursive: true })
    mkdirSync(join(app, 'scripts'))
    writeFileSync(
      join(app, 'node_modules/onnxruntime-node/package.json'),
      '{"name":"onnxruntime-node","version":"1.0.0"}',
    )
    writeFileSync(join(app, 'store.js'), text, { mode: 0o444 })
    const list = join(app, name, 'install-metadata.js')
    linkSync(join(app, 'store.js'), list)
    cpSync(script, join(app, 'scripts/skip-cuda-download.cjs'))
    const clean = Object.fromEntries(
      Object.entries(process.env).filter(([key]) => !/^npm_config|^ONNX/.test(key)),
    )
    execFileSync(process.execPath, ['scripts/skip-cuda-download.cjs'], {
      cwd: app,
      env: { ...clean, ...env },
    })
    expect(readdirSync(join(app, name))).toEqual(['install-metadata.js'])
    return [readFileSync(list, 'utf8'), readFileSync(join(app, 'store.js'), 'utf8')]
  }

  it("changes the app's list, and never the store's", () => {
    expect(run({})).toEqual([text.replace("['cuda12']", '[]'), text])
    expect(run({ npm_config_user_agent: 'npm/11.0.0 node/v22.0.0 linux x64' })).toEqual([
      text.replace("['cuda12']", '[]'),
      text,
    ])
  })

  it.each(['pnpm/10.1.0 npm/? node/v22', 'bun/1.2.0 npm/?', 'yarn/1.22.22 npm/?'])(
    'changes nothing under %s',
    (agent) => {
      expect(run({ npm_config_user_agent: agent })).toEqual([text, text])
    },
  )

  it('changes nothing if CUDA is asked for', () => {
    expect(run({ ONNXRUNTIME_NODE_INSTALL: 'cuda12' })).toEqual([text, text])
  })
})
