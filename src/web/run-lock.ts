import { InputError } from '../util/errors.ts'
import { missing } from './problems.ts'

/**
 * Does something while no other tab or worker uses a run. The browser frees a lock whose page ends.
 *
 * @throws InputError where another one uses it.
 */
export async function withRunLock<T>(name: string, use: () => Promise<T>): Promise<T> {
  const { locks } = navigator as Partial<Pick<Navigator, 'locks'>>
  if (locks === undefined) {
    throw missing('this page cannot keep two tabs apart', 'open it by https or on localhost')
  }
  return locks.request(`pantin/runs/${name}`, { ifAvailable: true }, (lock) => {
    if (lock !== null) return use()
    throw new InputError({
      what: 'this run is in use',
      where: name,
      got: 'another tab, or another part of this page, trains it',
      expected: 'one that trains into a run',
      remedy: 'pause or close it there, or choose another name',
    })
  })
}
