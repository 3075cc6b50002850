import { createHash } from 'node:crypto'
import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileError } from '../files/file-errors.ts'
import { isRun } from '../run/run-config.ts'
import { InputError } from '../util/errors.ts'

/** The run folders that are served, by the names that addresses have for them. */
export class RunList {
  /** @param places folders of runs, and folders that hold such, as `realpath` gives them. */
  private constructor(private readonly places: readonly string[]) {}

  /**
   * @param named folders that a person named: of runs, or with runs in them.
   * @param more folders in which runs may be some day, as `realpath` gives them.
   * @throws InputError for a named one that is neither.
   */
  static async open(named: readonly string[], more: readonly string[] = []): Promise<RunList> {
    return new RunList([...(await Promise.all(named.map(checkedPlace))), ...more])
  }

  /** Folders by id, as they are now: a folder of runs may have got one more. */
  async folders(): Promise<ReadonlyMap<string, string>> {
    const found = (await Promise.all(this.places.map(runsIn))).flat()
    return new Map(found.map((folder) => [idOf(folder), folder]))
  }
}

/** A name for addresses: readable, and another one for each folder. */
export function idOf(folder: string): string {
  const name = basename(folder)
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 40)
  const mark = createHash('sha256').update(folder).digest('hex').slice(0, 8)
  return `${name || 'run'}-${mark}`
}

async function checkedPlace(named: string): Promise<string> {
  try {
    const place = await realpath(named)
    if (!(await stat(place)).isDirectory()) throw noRun(named, 'a file')
    const names = await readdir(place)
    // An empty folder is one where runs will be.
    if (names.length > 0 && (await runsIn(place)).length === 0)
      throw noRun(named, names.slice(0, 5).join(', '))
    return place
  } catch (error) {
    throw fileError(error, named, 'read')
  }
}

function noRun(where: string, got: string): InputError {
  return new InputError({
    what: 'there is no run here',
    where,
    got,
    expected: 'the folder of a run, or a folder with such folders in it',
    remedy: 'name the folder that was given to train or distil as --out',
  })
}

/** The place itself where it is a run, else the runs right in it. */
async function runsIn(place: string): Promise<string[]> {
  if (await isRun(place)) return [place]
  const entries = await readdir(place, { withFileTypes: true }).catch(() => [])
  const folders = entries
    // A link that leads elsewhere would serve what nobody named.
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(place, entry.name))
    .sort()
  const found = await Promise.all(folders.map(async (folder) => ((await isRun(folder)) ? [folder] : [])))
  return found.flat()
}
