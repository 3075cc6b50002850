// Doc comments of a TypeScript source as Markdown.

export interface Documented {
  /** What the comment stands over; undefined for one that stands on its own. */
  readonly name: string | undefined
  /** The first line of a function or interface, or an interface as a whole. */
  readonly code: string | undefined
  readonly markdown: string
}

/** The doc comment at the top of a file, below its line comments. @throws where there is none */
export function headerOf(source: string, file: string): string {
  const match = /^(?:\/\/.*\n|\s)*\/\*\*([\s\S]*?)\*\//.exec(source)
  if (match === null) throw new Error(`${file}: no header comment`)
  return toMarkdown(match[1]!)
}

/** The comments of a file's exported functions, and the comments that stand on their own, in the file's order. */
export function documentedIn(source: string): Documented[] {
  return Array.from(source.matchAll(/\/\*\*([\s\S]*?)\*\/\n(?=(.*))/g)).flatMap((match) => {
    const next = match[2]!
    const markdown = toMarkdown(match[1]!)
    if (next.trim() === '') return { name: undefined, code: undefined, markdown }
    const exported = /^export (?:function|const) (\w+)/.exec(next)
    if (exported === null) return []
    const from = source.slice(match.index + match[0].length)
    return { name: exported[1], code: signatureOf(from), markdown }
  })
}

/** The exported interfaces of options, as they stand, comments included. */
export function optionsIn(source: string): string[] {
  return Array.from(source.matchAll(/^export interface \w+Options[^{]*\{[\s\S]*?^\}/gm), ([text]) => text)
}

/** A function's head on one line. A result that is written out over several lines loses its comments. */
function signatureOf(source: string): string {
  const head = /^export (?:function|const) [\s\S]*?(?=(?<!:)\s(?:\{\n|=>))/.exec(source)?.[0] ?? ''
  return head
    .replace(/^export /, '')
    .replace(/\n {2}\/\*\* .* \*\//g, '')
    .replace(/(?<!\{)\n {2}(?=readonly )/g, '; ')
    .replace(/\s+/g, ' ')
    .replace('( ', '(')
    .replace(/,? \)/, ')')
}

/** A comment's text without its stars; tags become a list. */
function toMarkdown(comment: string): string {
  const lines = comment.split('\n').map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
  const text = lines.join('\n').trim()
  const [prose, ...tags] = text.split(/^(?=@)|\s(?=@(?:throws|returns)\b)/m)
  const items = tags.map((tag) => `- ${described(tag.trim().replace(/\n\s*/g, ' '))}`)
  return [escaped(prose!.trim()), items.join('\n')].filter((part) => part !== '').join('\n\n')
}

function described(tag: string): string {
  const parameter = /^@param (\S+) (.*)$/.exec(tag)
  if (parameter !== null) return `\`${parameter[1]}\`: ${parameter[2]}`
  return tag.replace(/^@returns /, 'returns ').replace(/^@throws /, 'throws ')
}

/** Outside of code, `<` would begin a tag. */
const escaped = (text: string) =>
  text
    .split(/(```[\s\S]*?```)/)
    .map((part) => (part.startsWith('```') ? part : part.replaceAll('<', '&lt;')))
    .join('')
