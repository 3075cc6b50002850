// Long work is resumed only as it was begun: the check that run folders and the folders of studies share.
import { isDeepStrictEqual } from 'node:util'
import { InputError } from '../util/errors.ts'

/** What decides the result of long work, by the names of the options that it comes from. */
export type Facts = Readonly<Record<string, unknown>>

export interface ResumeOptions {
  /** The message of the error, which names the option that differs: `the run was begun with another size`. */
  what(name: string): string
  /** The folder of the work. */
  readonly where: string
  readonly remedy: string
  /** Compares these options only (default: every option of either side). */
  readonly among?: ReadonlySet<string>
}

/** @throws InputError for the first option whose value differs. */
export function assertResumable(begun: Facts, asked: Facts, options: ResumeOptions): void {
  const { what, where, remedy, among } = options
  for (const name of new Set([...Object.keys(begun), ...Object.keys(asked)])) {
    const [expected, got] = [begun[name], asked[name]]
    if (among?.has(name) === false || isDeepStrictEqual(expected, got)) continue
    throw new InputError({
      ...{ what: what(name), where, remedy },
      got: JSON.stringify(got) ?? 'nothing',
      expected: JSON.stringify(expected) ?? 'nothing',
    })
  }
}
