import { Readable } from 'node:stream'
import type { Context } from 'hono'
import { type ContainedFile, openContained } from './contained-file.ts'
import { contentType } from './content-types.ts'

export interface SendOptions {
  /** How long browsers may keep it. */
  readonly cache: 'forever' | 'ask' | 'never'
  /** Whether compressed forms may lie beside it, as `NAME.br` and `NAME.gz`. */
  readonly precompressed?: boolean
}

const cacheControl = {
  // Its name changes with its content.
  forever: 'public, max-age=31536000, immutable',
  ask: 'no-cache',
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
 * @returns undefined where there is no such file.
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
  // No body is read for HEAD, and a stream that nobody reads never closes its file.
  if (known || size === 0 || c.req.method === 'HEAD') {
    await handle.close()
    return new Response(null, { status: known ? 304 : 200, headers })
  }
  // To where it ended when its size was told: metrics may grow meanwhile.
  const stream = handle.createReadStream({ start: 0, end: size - 1 })
  return new Response(Readable.toWeb(stream) as ReadableStream, { headers })
}

/** Encodings that a browser takes, without those that it gives no weight. */
function acceptedEncodings(header = ''): ReadonlySet<string> {
  const parts = header.split(',').map((part) =>
    part
      .trim()
      .toLowerCase()
      .split(/\s*;\s*q=/),
  )
  return new Set(parts.filter(([, weight = '1']) => Number(weight) > 0).map(([name]) => name!))
}
