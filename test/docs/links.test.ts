// Every relative link of the documents leads to a file that exists, and to a heading that the file has.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, it } from 'vitest'

const documents = [
  ...['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'bench/peers/README.md'],
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
]

it.each(documents)('%s', (document) => {
  const text = readFileSync(document, 'utf8').replace(/^```[\s\S]*?^```/gm, '')
  const links = Array.from(text.matchAll(/\]\(([^)\s]+)\)/g), ([, address]) => address!)
  const broken = links.filter((address) => !/^[a-z]+:/.test(address) && !leadsSomewhere(document, address))
  expect(broken).toEqual([])
})

function leadsSomewhere(document: string, address: string): boolean {
  const [path = '', heading] = address.split('#')
  const target = path === '' ? document : normalize(join(dirname(document), path))
  if (!existsSync(target)) return false
  return heading === undefined || headingsOf(target).includes(heading)
}

/** The names by which headings are linked to, as GitHub makes them. */
const headingsOf = (path: string): string[] =>
  Array.from(readFileSync(path, 'utf8').matchAll(/^#+ (.+)$/gm), ([, title]) =>
    title!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-'),
  )
