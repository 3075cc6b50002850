import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, fileError } from '../../store/file-errors.ts'
import { InputError } from '../../util/errors.ts'

/** What the demo makes, by name. */
export const demoFiles = {
  page: 'index.html',
  moved: 'moved.mp4',
  familiar: 'familiar.mp4',
  keypoints: 'keypoints.mp4',
  track: 'keypoints.json',
  sheet: 'sheet.png',
  metrics: 'metrics.json',
  run: 'run',
} as const

/**
 * Makes the demo's folder. An earlier demo in it is removed with `force`; anything else is never touched.
 *
 * @throws InputError if there is something in it.
 */
export async function prepareFolder(folder: string, force: boolean): Promise<void> {
  const known: ReadonlySet<string> = new Set(Object.values(demoFiles))
  const names = await readdir(folder).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return []
    throw fileError(error, folder, 'written')
  })
  const strange = names.filter((name) => !known.has(name))
  if (strange.length > 0 || (names.length > 0 && !force)) {
    throw new InputError({
      what: strange.length > 0 ? 'the folder holds other things than a demo' : 'a demo is here already',
      where: folder,
      got: (strange.length > 0 ? strange : names).slice(0, 5).join(', '),
      expected: 'a new or an empty folder',
      remedy:
        strange.length > 0 ? 'choose another folder' : 'replace it with --force, or choose another folder',
    })
  }
  // The run is replaced by train, which knows whether it is in use.
  const old = names.filter((name) => name !== demoFiles.run)
  await Promise.all(old.map((name) => rm(join(folder, name), { force: true })))
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw fileError(error, folder, 'written')
  })
}
