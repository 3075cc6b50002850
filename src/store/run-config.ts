/** config.json of a run: `{ "pantin": { "format": 1, "version": "x.y.z" }, ...config }`. */
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { FormatError, InputError, messageOf } from '../util/errors.ts'
import { writeFileAtomic } from './atomic.ts'
import { codeOf, fileError } from './file-errors.ts'

/** Raised when the run folder's layout changes so that an older pantin would misread it. */
const format = 1

const stampSchema = z.object({ format: z.int().positive(), version: z.string() })

/** No configuration comes near this; a larger file is something else. */
const maxBytes = 16 << 20

/** Writes the configuration atomically. @throws InputError if it is not plain JSON or has a `pantin` key. */
export async function writeConfig(path: string, version: string, config: object): Promise<void> {
  if (Array.isArray(config) || 'pantin' in config) {
    const expected = 'an object without the key pantin'
    throw new InputError({ what: 'a configuration that a run cannot record', where: path, expected })
  }
  const text = toJson({ pantin: { format, version }, ...config }, path)
  await writeFileAtomic(join(path, 'config.json'), text)
}

/** JSON would turn NaN into null, and a later reading would find another configuration. */
function toJson(record: object, path: string): string {
  const check = (key: string, value: unknown) => {
    if (typeof value === 'number' && !Number.isFinite(value)) throw new TypeError(`${key} is ${value}`)
    return value
  }
  try {
    return `${JSON.stringify(record, check, 2)}\n`
  } catch (error) {
    const expected = 'plain JSON with finite numbers'
    const got = messageOf(error)
    throw new InputError({ what: 'a configuration that a run cannot record', where: path, got, expected })
  }
}

/** Whether a folder has a config.json that pantin wrote, of whatever format. */
export async function isRun(path: string): Promise<boolean> {
  try {
    const config: unknown = JSON.parse(await readFile(join(path, 'config.json'), 'utf8'))
    return z.object({ pantin: stampSchema }).safeParse(config).success
  } catch {
    return false
  }
}

/**
 * Reads and validates the configuration of the run in folder `path`.
 *
 * @returns the configuration and the version of the pantin that wrote it.
 * @throws InputError for a path that is no run, FormatError for a file that does not fit.
 */
export async function readConfig<T>(
  path: string,
  schema: z.ZodType<T>,
): Promise<{ config: T; version: string }> {
  const where = join(path, 'config.json')
  const { stamp, rest } = splitStamp(parse(await readText(path, where), where), where)
  if (stamp.format > format) {
    throw new FormatError({
      what: 'this run was made by a newer pantin',
      where,
      got: `format ${stamp.format}, version ${stamp.version}`,
      expected: `format ${format}`,
      remedy: `upgrade pantin to ${stamp.version} or later`,
    })
  }
  const result = schema.safeParse(rest)
  if (result.success) return { config: result.data, version: stamp.version }
  const issues = result.error.issues.slice(0, 5)
  throw new FormatError({
    what: 'the configuration of this run does not fit',
    where,
    got: issues.map((issue) => `${z.core.toDotPath(issue.path) || 'the whole'}: ${issue.message}`).join('; '),
    expected: 'what train writes',
    remedy: 'undo changes made by hand, or train again',
  })
}

async function readText(path: string, where: string): Promise<string> {
  try {
    if (!(await stat(path)).isDirectory()) {
      throw new InputError({
        what: 'not a run',
        where: path,
        got: 'a file',
        expected: 'a run folder',
        remedy,
      })
    }
    const { size } = await stat(where)
    if (size > maxBytes) {
      throw new FormatError({ what: 'too large', where, got: `${size} bytes`, expected: `under ${maxBytes}` })
    }
    return await readFile(where, 'utf8')
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw fileError(error, where, 'read')
    const exists = await stat(path).then(
      () => true,
      () => false,
    )
    const got = exists ? 'a folder without config.json' : 'no such folder'
    throw new InputError({ what: 'not a run', where: path, got, expected: 'a run folder', remedy })
  }
}

const remedy = 'name the folder that was given to train or distil as --out'

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const fix = 'undo changes made by hand, or train again'
    throw new FormatError({ what: 'not valid JSON', where, got: messageOf(error).slice(0, 200), remedy: fix })
  }
}

function splitStamp(config: unknown, where: string): { stamp: z.infer<typeof stampSchema>; rest: object } {
  const result = z.looseObject({ pantin: stampSchema }).safeParse(config)
  if (!result.success) {
    const expected = 'a "pantin" entry with format and version'
    throw new FormatError({ what: 'a config.json that pantin did not write', where, expected, remedy })
  }
  const { pantin: stamp, ...rest } = result.data
  return { stamp, rest }
}
