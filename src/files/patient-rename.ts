import { rename } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { codeOf } from './file-errors.ts'

/** What Windows says while a virus scanner or an indexer has one of the two files open. */
const passing: readonly (string | undefined)[] = ['EPERM', 'EACCES', 'EBUSY']

/** Between two tries, in milliseconds: two seconds in all. */
const pauses: readonly number[] = [10, 20, 50, 100, 200, 400, 600, 620]

/**
 * Renames a file; on Windows, where others' short looks at a file stop that, again and again for two seconds.
 *
 * @param world what a test puts in the place of the machine.
 * @throws what the last try throws.
 */
export async function renamePatiently(
  from: string,
  to: string,
  world: { readonly platform: string; rename(from: string, to: string): Promise<void> } = {
    platform: process.platform,
    rename,
  },
): Promise<void> {
  const waits = world.platform === 'win32' ? pauses : []
  for (const wait of waits) {
    try {
      return await world.rename(from, to)
    } catch (error) {
      if (!passing.includes(codeOf(error))) throw error
    }
    await setTimeout(wait)
  }
  await world.rename(from, to)
}
