// The run folders that are served, by the names that addresses have for them.
import { createHash } from 'node:crypto'
import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileError } from '../files/file-errors.ts'
import { isRun } from '../run/config-file.ts'
import { InputError } from '../util/errors.ts'

/** Finds run folders in the places that the user named. */
export class RunList {
  /** @param places run folders, and folders that hold run folders, as `realpath` gives them. */
  private constructor(private readonly places: readonly string[]) {}

  /**
   * @param named folders that the user named: run folders, or folders with run folders in them.
   * @param more folders in which runs may appear, as `realpath` gives them.
   * @throws InputError if a named folder is neither.
   */
  static async open(named: readonly string[], more: readonly string[] = []): Promise<RunList> {
    return new RunList([...(await Promise.all(named.map(checkedPlace))), ...more])
  }

  /** Run folders by id, as they are now. Runs may appear and disappear between two calls. */
  async folders(): Promise<ReadonlyMap<string, string>> {
    const found = (await Promise.all(this.places.map(runsIn))).flat()
    return new Map(found.map((folder) => [idOf(folder), folder]))
  }
}

/** A folder's name in addresses: readable, and unique. */
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
    // Runs may appear in an empty folder later.
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

/** The place itself if it is a run, else the runs directly in it. */
async function runsIn(place: string): Promise<string[]> {
  if (await isRun(place)) return [place]
  const entries = await readdir(place, { withFileTypes: true }).catch(() => [])
  const folders = entries
    // Links are not followed: they would serve folders that the user did not name.
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(place, entry.name))
    .sort()
  const found = await Promise.all(folders.map(async (folder) => ((await isRun(folder)) ? [folder] : [])))
  return found.flat()
}
