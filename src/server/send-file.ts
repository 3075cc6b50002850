// Answers with a file of a folder: it must really lie in the folder, and is sent as a stream.
import { constants } from 'node:fs'
import { type FileHandle, lstat, open, realpath } from 'node:fs/promises'
import { extname, join, sep } from 'node:path'
import { Readable } from 'node:stream'
import type { Context } from 'hono'
import { codeOf, fileError } from '../files/file-errors.ts'

/** A file of a folder, open for reading. The caller closes its handle. */
export interface ContainedFile {
  /** Its real path, without links. */
  readonly path: string
  readonly handle: FileHandle
  readonly size: number
  readonly modified: Date
}

/** System error codes that mean: there is no such file to serve. */
const absent = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'EISDIR', 'ENXIO'])

/**
 * Opens a regular file that really lies in a folder, whatever links lead there.
 *
 * @param folder as `realpath` gives it.
 * @param name its path in the folder, with slashes.
 * @returns undefined if there is none, or if links lead out of the folder.
 * @throws InputError, EnvironmentError if it cannot be read.
 */
export async function openContained(folder: string, name: string): Promise<ContainedFile | undefined> {
  const asked = join(folder, ...name.split('/'))
  try {
    const path = await realpath(asked)
    // The root of a file system ends with its separator already.
    if (!path.startsWith(folder.endsWith(sep) ? folder : folder + sep)) return undefined
    // Checked before opening: to open a device has effects.
    if (!(await lstat(path)).isFile()) return undefined
    // A link or a pipe may have taken its place since: neither is followed or waited for.
    const handle = await open(
      path,
      constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0),
    )
    const found = await handle.stat()
    if (found.isFile()) return { path, handle, size: found.size, modified: found.mtime }
    await handle.close()
    return undefined
  } catch (error) {
    if (absent.has(codeOf(error) ?? '')) return undefined
    throw fileError(error, asked, 'read')
  }
}

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.jsonl': 'application/x-ndjson',
  '.mjs': 'text/javascript; charset=utf-8',
  '.mp4': 'video/mp4',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webm': 'video/webm',
  '.webmanifest': 'application/manifest+json',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
}

/** The media type of a file, by its name. */
export const contentType = (name: string): string =>
  types[extname(name).toLowerCase()] ?? 'application/octet-stream'

export interface SendOptions {
  /** How long browsers may keep it: `revalidate` lets them keep it and ask each time whether it is current. */
  readonly cache: 'forever' | 'revalidate' | 'never'
  /** Whether compressed forms may stand beside it, as `NAME.br` and `NAME.gz` (default: no). */
  readonly precompressed?: boolean
}

const cacheControl = {
  // The file's name changes with its content.
  forever: 'public, max-age=31536000, immutable',
  revalidate: 'no-cache',
  never: 'no-store',
} as const

const encodings = [
  { name: 'br', extension: '.br' },
  { name: 'gzip', extension: '.gz' },
] as const

/**
 * Answers with a file of a folder, as a stream.
 *
 * @param folder as `realpath` gives it.
 * @returns undefined if there is no such file.
 */
export async function sendFile(
  c: Context,
  folder: string,
  name: string,
  { cache, precompressed = false }: SendOptions,
): Promise<Response | undefined> {
  const file = await openContained(folder, name)
  if (file === undefined) return undefined
  const headers = new Headers({ 'Content-Type': contentType(name), 'Cache-Control': cacheControl[cache] })
  if (!precompressed) return respond(c, file, headers, cache)
  headers.set('Vary', 'Accept-Encoding')
  const accepted = acceptedEncodings(c.req.header('accept-encoding'))
  for (const encoding of encodings.filter((each) => accepted.has(each.name))) {
    const packed = await openContained(folder, name + encoding.extension)
    if (packed === undefined) continue
    await file.handle.close()
    headers.set('Content-Encoding', encoding.name)
    return respond(c, packed, headers, cache)
  }
  return respond(c, file, headers, cache)
}

async function respond(
  c: Context,
  { handle, size, modified }: ContainedFile,
  headers: Headers,
  cache: SendOptions['cache'],
): Promise<Response> {
  const tag = `"${size.toString(36)}-${modified.getTime().toString(36)}"`
  if (cache !== 'never') headers.set('ETag', tag)
  const known =
    cache !== 'never' &&
    c.req
      .header('if-none-match')
      ?.split(/\s*,\s*/)
      .includes(tag)
  if (!known) headers.set('Content-Length', String(size))
  // The body of an answer to HEAD is never read, and a stream that is never read would not close its file.
  if (known || size === 0 || c.req.method === 'HEAD') {
    await handle.close()
    return new Response(null, { status: known ? 304 : 200, headers })
  }
  // As many bytes as Content-Length says: metrics may have grown since.
  const stream = handle.createReadStream({ start: 0, end: size - 1 })
  return new Response(Readable.toWeb(stream) as ReadableStream, { headers })
}

/** The encodings that a browser accepts. An encoding with weight 0 is not accepted. */
function acceptedEncodings(header = ''): ReadonlySet<string> {
  const parts = header.split(',').map((part) =>
    part
      .trim()
      .toLowerCase()
      .split(/\s*;\s*q=/),
  )
  return new Set(parts.filter(([, weight = '1']) => Number(weight) > 0).map(([name]) => name!))
}
