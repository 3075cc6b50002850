// A strict parser for the JSON of safetensors headers.
import { FormatError } from '../../util/errors.ts'

/** What a safetensors header says about one tensor, before any check against the file. */
export interface RawEntry {
  readonly dtype: string
  readonly shape: readonly number[]
  /** First byte and the byte after the last, counted from the start of the data. */
  readonly offsets: readonly [number, number]
}

/** A header as it was parsed. */
export interface RawHeader {
  /** In the header's order. */
  readonly entries: ReadonlyMap<string, RawEntry>
  readonly metadata: ReadonlyMap<string, string>
}

/** More axes than any framework has. It limits the memory that a hostile header can take. */
const maxRank = 64

/**
 * Parses the JSON text of a safetensors header, and accepts only what such a header may contain. JSON.parse would
 * keep the last of two equal keys, round numbers beyond 2^53, and accept any nesting.
 *
 * @param file name for messages.
 * @throws FormatError at the first character that does not fit.
 */
export function parseHeader(text: string, file: string): RawHeader {
  return new HeaderParser(text, file).header()
}

class HeaderParser {
  private at = 0
  /** The tensor that is being read, for messages. */
  private name: string | undefined

  constructor(
    private readonly text: string,
    private readonly file: string,
  ) {}

  header(): RawHeader {
    const entries = new Map<string, RawEntry>()
    const metadata = new Map<string, string>()
    // The format requires the brace as the first byte, without space before it.
    if (this.text[0] !== '{') this.fail('a { as the first byte')
    this.object((key) => {
      if (key === '__metadata__') {
        this.object((item) => metadata.set(item, this.string()))
        return
      }
      this.name = key
      if (key === '') this.fail('a tensor name that is not empty')
      entries.set(key, this.entry())
      this.name = undefined
    })
    this.space()
    if (this.at < this.text.length) this.fail('nothing but spaces after the header')
    return { entries, metadata }
  }

  private entry(): RawEntry {
    let dtype: string | undefined
    let shape: readonly number[] | undefined
    let offsets: readonly number[] | undefined
    this.object((key) => {
      if (key === 'dtype') dtype = this.string()
      else if (key === 'shape') shape = this.numbers(maxRank)
      else if (key === 'data_offsets') offsets = this.numbers(2)
      else this.fail('only dtype, shape and data_offsets', JSON.stringify(key.slice(0, 80)))
    })
    const [start, end] = offsets ?? []
    if (dtype === undefined || shape === undefined || start === undefined || end === undefined) {
      this.fail('dtype, shape and two data_offsets', 'an entry without all of them')
    }
    return { dtype, shape, offsets: [start, end] }
  }

  /** Reads { "key": value, ... }; `value` is called where the value starts. Each key may come once. */
  private object(value: (key: string) => void): void {
    this.expect('{')
    if (this.skip('}')) return
    const seen = new Set<string>()
    do {
      const key = this.string()
      if (seen.has(key)) this.fail('each key once', `${JSON.stringify(key.slice(0, 80))} twice`)
      seen.add(key)
      this.expect(':')
      value(key)
    } while (this.skip(','))
    this.expect('}')
  }

  private numbers(most: number): number[] {
    const numbers: number[] = []
    this.expect('[')
    if (this.skip(']')) return numbers
    do {
      if (numbers.length === most) this.fail(`at most ${most} numbers`)
      numbers.push(this.number())
    } while (this.skip(','))
    this.expect(']')
    return numbers
  }

  /** A whole number from 0 to 2^53 - 1, in plain digits. */
  private number(): number {
    this.space()
    const digits = /^(?:0|[1-9]\d*)/.exec(this.text.slice(this.at, this.at + 17))?.[0] ?? ''
    const value = Number(digits)
    if (digits === '' || !Number.isSafeInteger(value)) this.fail('a whole number from 0 to 2^53 - 1')
    this.at += digits.length
    return value
  }

  private string(): string {
    this.space()
    if (this.text[this.at] !== '"') this.fail('a string')
    let end = this.at + 1
    while (end < this.text.length && this.text[end] !== '"') end += this.text[end] === '\\' ? 2 : 1
    let value: unknown
    try {
      value = JSON.parse(this.text.slice(this.at, end + 1))
    } catch {
      this.fail('a string in valid JSON')
    }
    // Half a surrogate pair has no UTF-8 form, so two such names could become one in another tool.
    if (typeof value !== 'string' || /\p{Surrogate}/u.test(value)) this.fail('a string of whole characters')
    this.at = end + 1
    return value
  }

  private space(): void {
    while (' \t\n\r'.includes(this.text[this.at] ?? 'x')) this.at++
  }

  private skip(mark: string): boolean {
    this.space()
    if (this.text[this.at] !== mark) return false
    this.at++
    return true
  }

  private expect(mark: string): void {
    if (!this.skip(mark)) this.fail(mark)
  }

  private fail(expected: string, got?: string): never {
    const found = this.text.slice(this.at, this.at + 24)
    const place = this.name === undefined ? '' : `, tensor ${JSON.stringify(this.name.slice(0, 80))}`
    throw new FormatError({
      what: 'the safetensors header is malformed',
      where: `${this.file}${place}`,
      got: `${got ?? (found === '' ? 'the end' : JSON.stringify(found))} at character ${this.at}`,
      expected,
      remedy: 'write the file again, or download it again',
    })
  }
}
