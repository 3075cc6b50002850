import { readFile, stat } from 'node:fs/promises'
import { fileError } from '../store/file-errors.ts'
import { FormatError, messageOf } from '../util/errors.ts'
import { type Design, parseDesign } from '../zoo/design.ts'

/** No design comes near this. */
const maxBytes = 1 << 20

/**
 * Reads a design from a JSON file, such as the best.json of a search.
 *
 * @throws InputError for a file that cannot be read, or a design that contradicts itself; FormatError for what is no
 * JSON.
 */
export async function readDesignFile(path: string): Promise<Design> {
  return parseDesign(parsed(await text(path), path))
}

async function text(path: string): Promise<string> {
  try {
    const { size } = await stat(path)
    if (size <= maxBytes) return await readFile(path, 'utf8')
    const expected = `under ${maxBytes}`
    throw new FormatError({ what: 'too large for a design', where: path, got: `${size} bytes`, expected })
  } catch (error) {
    throw fileError(error, path, 'read')
  }
}

function parsed(json: string, where: string): unknown {
  try {
    return JSON.parse(json)
  } catch (error) {
    throw new FormatError({
      what: 'the design is not valid JSON',
      where,
      got: messageOf(error).slice(0, 200),
      remedy: 'name the best.json of a search, or the design of a config.json',
    })
  }
}
