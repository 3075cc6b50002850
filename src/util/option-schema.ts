// Tables of options as schemas: how the library's options and the configurations on disk are checked.
import { z } from 'zod'
import { InputError } from './errors.ts'
import { expectation, fits, type Option, type OptionTable, type OptionValue } from './options.ts'

/** A table as the shape of an object's schema: options have their defaults, and may be absent without one. */
export type OptionShape<T extends OptionTable> = {
  readonly [K in keyof T]: T[K] extends { readonly default: unknown }
    ? z.ZodDefault<z.ZodType<OptionValue<T[K]>>>
    : z.ZodOptional<z.ZodType<OptionValue<T[K]>>>
}

/** The schema of one option's value, without its default. */
export const schemaOf = <O extends Option>(option: O): z.ZodType<OptionValue<O>> =>
  z.custom<OptionValue<O>>((value) => fits(option, value), { error: `expected ${expectation(option)}` })

/** The schemas of a table's options, for `z.object`. */
export function shapeOf<T extends OptionTable>(table: T): OptionShape<T>
export function shapeOf(table: OptionTable): z.ZodRawShape {
  return Object.fromEntries(
    Object.entries(table).map(([name, option]) => {
      const schema = schemaOf(option)
      return [name, option.default === undefined ? schema.optional() : schema.default(option.default)]
    }),
  )
}

/** Options as a schema has them, with its defaults. @throws InputError that names the option. */
export function checkedOptions<T>(schema: z.ZodType<T>, given: unknown): T {
  const result = schema.safeParse(given)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new InputError({
    what: `the option ${issue!.path.join('.') || 'list'} is not usable`,
    expected: issue!.message.replace(/^(Invalid \w+: )?expected /, ''),
  })
}
