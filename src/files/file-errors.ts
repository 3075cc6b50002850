import { EnvironmentError, InputError, messageOf, PantinError } from '../util/errors.ts'

/** Codes of a disk, a quota or a size limit that is used up. */
const full = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** Codes that mean that the path given by the caller cannot serve; the rest is the machine's failure. */
const unusable: Readonly<Record<string, string>> = {
  EACCES: 'permission is denied',
  EPERM: 'the operation is not permitted',
  EROFS: 'the file system is read-only',
  ENOENT: 'no such file or folder',
  ENOTDIR: 'a part of the path is not a folder',
  EISDIR: 'it is a folder',
  EEXIST: 'it exists already',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'its symbolic links form a loop',
  EINVAL: 'the name is not valid here',
  EBUSY: 'it is in use',
  ETXTBSY: 'it is in use',
  ERR_INVALID_ARG_VALUE: 'the name is not valid here',
}

/** The code of a system error ('ENOENT'), or undefined for anything else. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/**
 * The typed error for a failed file operation. Errors that pantin threw itself, and errors that are no
 * failure of the system but a bug, come back unchanged.
 *
 * @param needed bytes that were to be written, where known; said when the disk is full.
 * @returns EnvironmentError for a full or failing disk, InputError for a path that cannot serve.
 */
export function fileError(
  error: unknown,
  path: string,
  action: 'read' | 'written',
  needed?: number,
): unknown {
  if (error instanceof PantinError) return error
  const code = codeOf(error)
  if (code === undefined) return isOutOfMemory(error) ? outOfMemory(error, path) : error
  const options = { cause: error }
  if (full.has(code)) {
    const problem = {
      what: 'there is no room left to write this file; an earlier file of this name is intact',
      where: path,
      got: code,
      remedy: 'free some space (or raise the quota or size limit), then run the command again',
    }
    const expected = needed === undefined ? {} : { expected: `room for ${needed} bytes` }
    return new EnvironmentError({ ...problem, ...expected }, options)
  }
  const reason = unusable[code]
  if (reason !== undefined) {
    const remedy =
      action === 'read'
        ? 'check the path and its permissions'
        : 'name a file in an existing folder where you may write'
    return new InputError({ what: `cannot be ${action}: ${reason}`, where: path, got: code, remedy }, options)
  }
  return new EnvironmentError(
    {
      what: `could not be ${action}`,
      where: path,
      got: messageOf(error),
      remedy: 'check the disk, then run the command again',
    },
    options,
  )
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof RangeError && /allocation failed|typed array length/i.test(error.message)
}

function outOfMemory(error: unknown, path: string): EnvironmentError {
  const remedy = 'use a machine with more memory, or a smaller file'
  return new EnvironmentError(
    { what: 'not enough memory for this file', where: path, got: messageOf(error), remedy },
    { cause: error },
  )
}
