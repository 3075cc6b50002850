// The text of config.json, in Node and in pages: `{ "pantin": { "format": 1, "version": "x.y.z" }, ...config }`.
import { z } from 'zod'
import { FormatError, InputError, messageOf } from '../util/errors.ts'

/** Increased when the layout of run folders changes so that an older pantin would misread them. */
const format = 1

/** What pantin says about itself in the file. */
export const stampSchema = z.object({ format: z.int().positive(), version: z.string() })

/**
 * A configuration as text.
 *
 * @param path of the run, for messages.
 * @throws InputError if it is not plain JSON or has a `pantin` key.
 */
export function configText(path: string, version: string, config: object): string {
  if (Array.isArray(config) || 'pantin' in config) {
    const expected = 'an object without the key pantin'
    throw new InputError({ what: 'a configuration that a run cannot record', where: path, expected })
  }
  return toJson({ pantin: { format, version }, ...config }, path)
}

/** Refuses NaN and infinities: JSON would turn them into null, which is another configuration when read. */
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

/**
 * Reads and validates a configuration.
 *
 * @param where path of the file, for messages.
 * @returns the configuration and the version of the pantin that wrote it.
 * @throws FormatError for a text that is not JSON, that pantin did not write, or that does not fit the schema.
 */
export function parseConfig<T>(
  text: string,
  where: string,
  schema: z.ZodType<T>,
): { config: T; version: string } {
  const { stamp, rest } = splitStamp(parse(text, where), where)
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
    remedy: issues.map(remedyOf).find(Boolean) ?? 'undo changes made by hand, or train again',
  })
}

/** What a check says to do, if it knows. */
function remedyOf(issue: z.core.$ZodIssue): string | undefined {
  const remedy: unknown = issue.code === 'custom' ? issue.params?.remedy : undefined
  return typeof remedy === 'string' ? remedy : undefined
}

export const remedy = 'name the folder that was given to train or distil as --out'

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
