import { z } from 'zod'
import { openRun } from '../run/run.ts'
import { InputError } from '../util/errors.ts'

/** What a folder holds: `train` and `distil` make motion models, `import` makes either. */
export type FolderKind = 'network' | 'motion model'

/** @throws InputError for a folder that holds neither. */
export async function folderKind(path: string): Promise<FolderKind> {
  const schema = z.looseObject({ network: z.unknown().optional(), model: z.unknown().optional() })
  const { config, path: where } = await openRun(path, schema)
  if (config.network !== undefined) return 'network'
  if (config.model !== undefined) return 'motion model'
  throw new InputError({
    what: 'its config.json names neither a network nor a model',
    where,
    expected: 'a folder that train, distil or import made',
  })
}
