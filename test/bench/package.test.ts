// The bench is beside the package: a clone has it, an installed package does not.
import { spawnSync } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { compile } from '../support/compile.ts'

/** Runs plain Node. */
const node = (...args: string[]) => spawnSync(process.execPath, args, { encoding: 'utf8' })

it('what is built of it finds everything in the built package', () => {
  // Some are no modules of Node, or are programs, which work when they are imported.
  const others = ['browser-worker.js', 'pruning.js']
  const modules = readdirSync('bench/dist').filter((name) => name.endsWith('.js') && !others.includes(name))
  expect(modules).toContain('run.js')
  const imports = modules.map(
    (name) => `import ${JSON.stringify(pathToFileURL(join('bench/dist', name)).href)}`,
  )
  const { status, stderr } = node('--input-type=module', '--eval', `${imports.join('\n')}\nprocess.exit(7)`)
  expect({ status, stderr }).toEqual({ status: 7, stderr: '' })
})

it('the package does not contain it, and says where it is', () => {
  expect(readdirSync('dist')).not.toContain('bench')
  const compiled = compile('src/cli/main.ts')
  try {
    rmSync(join(compiled.folder, 'bench'), { recursive: true })
    const { status, stdout } = node(join(compiled.folder, 'src/cli/main.js'), 'bench', '--json')
    expect(status).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({
      error: { name: 'EnvironmentError', remedy: expect.stringContaining('clone') },
    })
  } finally {
    compiled.remove()
  }
})
