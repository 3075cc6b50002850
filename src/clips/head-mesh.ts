// The shapes of synthetic heads, read once per process from the package's own file.
import { readFileSync } from 'node:fs'
import { type HeadMesh, readHeadMesh } from '../synthetic/head/asset.ts'
import { EnvironmentError, messageOf } from '../util/errors.ts'

/** From `src/clips` and from `dist/clips` alike. */
const address = new URL('../../assets/heads.bin', import.meta.url)

let mesh: HeadMesh | undefined

/** The shapes. @throws EnvironmentError if the file is missing; FormatError if it is damaged. */
export function headMesh(): HeadMesh {
  mesh ??= readHeadMesh(bytesOf(address))
  return mesh
}

function bytesOf(file: URL): Uint8Array {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new EnvironmentError(
      {
        what: 'the shapes of synthetic heads are not installed',
        where: file.pathname,
        got: messageOf(error),
        remedy: 'install pantin again',
      },
      { cause: error },
    )
  }
}
