// Names that stand for several clips: a folder for the videos in it, and `puppet:1..200` or `head:1..200` for a series.
import { readdir } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { fileError } from '../files/file-errors.ts'
import { isFolder } from '../files/folders.ts'
import { headSpecs, isHead } from '../synthetic/head/head.ts'
import { isPuppet, puppetSpecs } from '../synthetic/puppet/puppet.ts'
import { specSeries } from '../synthetic/spec.ts'
import { InputError } from '../util/errors.ts'

/** Endings of the files that a folder is searched for. */
const videoEndings: readonly string[] = ['.mp4', '.m4v', '.mov', '.webm', '.mkv']
const pictureEndings: readonly string[] = ['.png', '.jpg', '.jpeg', '.webp']

/** Which files of a folder are listed. */
export interface ListClipsOptions {
  /** Whether pictures are listed too. Default false: videos only. */
  readonly pictures?: boolean
}

/**
 * One name per clip. A folder stands for the videos in it, without hidden files, in the order of their names (`2`
 * before `10`); `puppet:1..200` stands for two hundred puppets, and `head:1..200`
 * for two hundred heads. Other names stay as they are.
 *
 * @throws InputError for a folder without videos, or a series that is empty or too long.
 */
export async function listClips(
  names: readonly string[],
  { pictures = false }: ListClipsOptions = {},
): Promise<string[]> {
  const endings = pictures ? [...videoEndings, ...pictureEndings] : videoEndings
  const lists = names.map(async (name) => {
    if (isPuppet(name)) return specSeries(puppetSpecs, name)
    if (isHead(name)) return specSeries(headSpecs, name)
    // A missing file is refused when it is opened.
    return (await isFolder(name)) ? clipsIn(name, endings) : [name]
  })
  return (await Promise.all(lists)).flat()
}

async function clipsIn(folder: string, endings: readonly string[]): Promise<string[]> {
  const entries = await readdir(folder).catch((error: unknown) => {
    throw fileError(error, folder, 'read')
  })
  // Hidden files are incomplete files of a killed pantin, or files that macOS keeps beside others.
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
