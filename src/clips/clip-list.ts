import { readdir, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { fileError } from '../files/file-errors.ts'
import { isPuppet, puppetSeries } from '../synthetic/puppet/spec.ts'
import { InputError } from '../util/errors.ts'

/** Endings of what a folder is searched for. */
const videoEndings: readonly string[] = ['.mp4', '.m4v', '.mov', '.webm', '.mkv']
const pictureEndings: readonly string[] = ['.png', '.jpg', '.jpeg', '.webp']

export interface ListClipsOptions {
  /** Whether a folder's pictures are wanted too (default: its videos only). */
  readonly pictures?: boolean
}

/**
 * One name for each clip, where a name may stand for many: a folder for the videos in it but for hidden ones, in the
 * order of their names (`2` before `10`), and `puppet:1..200` for two hundred puppets. Other names stay as they are.
 *
 * @throws InputError for a folder without any, or a series that is none.
 */
export async function listClips(
  names: readonly string[],
  { pictures = false }: ListClipsOptions = {},
): Promise<string[]> {
  const endings = pictures ? [...videoEndings, ...pictureEndings] : videoEndings
  const lists = names.map(async (name) => {
    if (isPuppet(name)) return puppetSeries(name)
    // What is not there is refused by who opens it.
    const folder = await stat(name).then(
      (found) => found.isDirectory(),
      () => false,
    )
    return folder ? clipsIn(name, endings) : [name]
  })
  return (await Promise.all(lists)).flat()
}

async function clipsIn(folder: string, endings: readonly string[]): Promise<string[]> {
  const entries = await readdir(folder).catch((error: unknown) => {
    throw fileError(error, folder, 'read')
  })
  // Hidden ones are what a killed pantin left half written, or what macOS keeps beside a file of its own.
  const clips = entries.filter(
    (entry) => !entry.startsWith('.') && endings.includes(extname(entry).toLowerCase()),
  )
  if (clips.length === 0) {
    throw new InputError({
      what: 'there are no videos in this folder',
      where: folder,
      expected: `files that end in ${endings.join(', ')}`,
    })
  }
  const { compare } = new Intl.Collator('en', { numeric: true })
  return clips.sort(compare).map((entry) => join(folder, entry))
}
