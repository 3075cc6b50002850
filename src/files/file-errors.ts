// Failures of the file system as pantin's errors: what failed, where, and what to do.
import { EnvironmentError, InputError, messageOf, PantinError } from '../util/errors.ts'

/** Codes of a disk that is full, or of a quota or size limit that is reached. */
const full = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** Codes of a path that cannot be used. All other codes are failures of the machine. */
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

/** Addresses that people give instead of a path. `resolve` makes one slash of two. */
const addressLike = /(?:^|[\\/])(https?|ftps?|sftp|file|s3|gs|rtsp|rtmp|smb|ssh):[\\/]+(?:[^\\/]*@)?([^?#]*)/i

/**
 * The error for an address instead of a path: pantin opens no address that a user gives, on no machine. A user, a password and
 * a query in it are not repeated.
 *
 * @returns undefined for a path.
 */
export function addressError(path: string): InputError | undefined {
  const [, scheme = '', rest = ''] = addressLike.exec(path) ?? []
  if (scheme === '') return undefined
  const isFile = scheme.toLowerCase() === 'file'
  return new InputError({
    what: 'this is an address, and pantin reads and writes files alone',
    where: `${scheme}://${isFile ? '/' : ''}${rest}`,
    got: 'an address',
    expected: 'the path of a file or folder on this machine',
    remedy: isFile ? `leave out ${scheme}://` : 'download what is there, and name the path of the copy',
  })
}

/** The code of a system error ('ENOENT'), or undefined for anything else. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/**
 * Whether an error of pantin comes from the system and not from a file's content: the file is missing, its permissions forbid it,
 * or the disk fails. It may be gone the next time.
 */
export function isOfSystem(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    // Node's own codes are those of wrong calls.
    if (codeOf(cause)?.startsWith('ERR_') === false) return true
  }
  return false
}

/**
 * The error to throw for a failed file operation. Errors of pantin, and errors that are bugs and not failures of
 * the system, are returned unchanged.
 *
 * @param needed number of bytes to be written, if known; the message names it when the disk is full.
 * @returns EnvironmentError for a full or failing disk, InputError for a path that cannot be used.
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
    const address = addressError(path)
    if (address !== undefined) return address
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
