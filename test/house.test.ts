// The house keeps its shape: number and size of source files, a line that says what each is, floors as documented.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'

const root = new URL('../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', 'src'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path.endsWith('.ts') && !path.includes('/generated/'))
  .map((path) => {
    const text = read(path)
    return { path, text, lines: text.split('\n').length - 1 }
  })

describe('source files', () => {
  it('begin with a line that says what they are', () => {
    const silent = files
      .filter(({ text }) => !/^(#!.*\n)?(\/\/|\/\*\*(\n \*)?) \S.{15,}/.test(text))
      .map(({ path }) => path)
    expect(silent).toEqual([])
  })

  it('are few enough to know, and long enough to hold an idea', () => {
    const lengths = files.map(({ lines }) => lines).sort((a, b) => a - b)
    const median = lengths[Math.floor(lengths.length / 2)]!
    expect(files.length).toBeLessThanOrEqual(330)
    expect(median).toBeGreaterThanOrEqual(100)
    expect(median).toBeLessThanOrEqual(200)
    const short = files.filter(({ lines }) => lines < 40).map(({ path }) => path)
    expect(short.length, short.join(', ')).toBeLessThanOrEqual(20)
  })

  it('give their reason where they are longer than 400 lines', () => {
    const long = files.filter(({ lines, text }) => lines > 400 && !text.includes('One file, because '))
    expect(long.map(({ path }) => path)).toEqual([])
  })

  it('hold nothing that names a later or an earlier state of the code', () => {
    const dated = files.filter(({ text }) => /\bruns of before\b|\bas of version\b/i.test(text))
    expect(dated.map(({ path }) => path)).toEqual([])
  })
})

describe('floors', () => {
  const { forbidden } = createRequire(import.meta.url)('../.dependency-cruiser.cjs') as {
    forbidden: readonly { readonly name: string }[]
  }
  const linted = forbidden.flatMap(({ name }) => (name.startsWith('floor-') ? [name.slice(6)] : []))

  it('are the folders of src', () => {
    const folders = new Set(
      files.map(({ path }) => path.split('/')[1]!).filter((name) => !name.endsWith('.ts')),
    )
    expect([...folders].sort()).toEqual([...linted].sort())
  })

  it('stand in ARCHITECTURE.md in the order that the linter holds', () => {
    const documented = [...read('ARCHITECTURE.md').matchAll(/\*\*`src\/([a-z]+)`\*\*/g)].map(
      ([, name]) => name,
    )
    expect(documented).toEqual(linted)
  })
})
