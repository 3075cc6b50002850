import { readWhole } from '../files/read-whole.ts'
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
  return parseDesign(parsed(String(await readWhole(path, 'a design in JSON', maxBytes)), path))
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
