// The check that an output is none of the inputs, by the files themselves and not by their names.
import { realpath, stat } from 'node:fs/promises'
import { sep } from 'node:path'
import { InputError } from '../util/errors.ts'

/**
 * Refuses outputs that would replace an input: the same file under the same or another name, through symbolic or hard
 * links; an existing file in a folder that is an input; and an existing folder that an input is in. Names that are no
 * files are passed over.
 *
 * @throws InputError
 */
export async function assertNoInput(
  outputs: readonly (string | undefined)[],
  inputs: readonly unknown[],
): Promise<void> {
  const names = inputs.filter((input) => typeof input === 'string')
  for (const output of outputs) {
    const target = output === undefined ? undefined : await fileAt(output)
    if (output === undefined || target === undefined) continue
    for (const input of names) {
      const source = await fileAt(input)
      if (source === undefined) continue
      const isSame = source.id === target.id
      const isInside = source.isFolder && isWithin(target.path, source.path)
      const isAround = target.isFolder && isWithin(source.path, target.path)
      if (isSame || isInside || isAround) throw isInput(output, input, isSame)
    }
  }
}

/** Whether two names are one existing file. */
export async function isSameFile(a: string, b: string): Promise<boolean> {
  const [first, second] = [await fileAt(a), await fileAt(b)]
  return first !== undefined && first.id === second?.id
}

const isWithin = (path: string, folder: string): boolean =>
  path.startsWith(folder.endsWith(sep) ? folder : folder + sep)

interface Found {
  readonly path: string
  /** Device and number of the file, which all its hard links share. */
  readonly id: string
  readonly isFolder: boolean
}

async function fileAt(name: string): Promise<Found | undefined> {
  try {
    const path = await realpath(name)
    const found = await stat(path, { bigint: true })
    return { path, id: `${found.dev}:${found.ino}`, isFolder: found.isDirectory() }
  } catch {
    // No file: a clip such as puppet:7, or a name that another check refuses.
    return undefined
  }
}

function isInput(output: string, input: string, isSame: boolean): InputError {
  return new InputError({
    what: isSame ? 'the output is one of the inputs' : 'the output would replace a file of the input',
    where: output,
    got: input,
    expected: 'a file that is no input; --force does not allow it either',
    remedy: 'choose another name for the output',
  })
}
