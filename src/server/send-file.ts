// Answers with a file of a folder: it must really lie in the folder, and is sent as a stream. The folders of the studio's
// site are here too.
import { constants } from 'node:fs'
import { type FileHandle, lstat, open, readFile, realpath } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, extname, join, sep } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Context } from 'hono'
import { faceAsset } from '../faces/networks.ts'
import { codeOf, fileError } from '../files/file-errors.ts'
import { configFile, weightsFile } from '../run/run-files.ts'
import { starters } from '../run/starters.ts'
import { EnvironmentError } from '../util/errors.ts'

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
  /** The folder of its compressed forms, `NAME.br` and `NAME.gz`, as `realpath` gives it (default: it has none). */
  readonly packed?: string | undefined
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
  { cache, packed: packedFolder }: SendOptions,
): Promise<Response | undefined> {
  const headers = new Headers({ 'Content-Type': contentType(name), 'Cache-Control': cacheControl[cache] })
  if (packedFolder !== undefined) {
    headers.set('Vary', 'Accept-Encoding')
    const accepted = acceptedEncodings(c.req.header('accept-encoding'))
    for (const encoding of encodings.filter((each) => accepted.has(each.name))) {
      const packed = await openContained(packedFolder, name + encoding.extension)
      if (packed === undefined) continue
      headers.set('Content-Encoding', encoding.name)
      return respond(c, packed, headers, cache)
    }
  }
  const file = await openContained(folder, name)
  return file && respond(c, file, headers, cache)
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
  if (size <= mostWhole) {
    const bytes = await readStart(handle, size)
    headers.set('Content-Length', String(bytes.length))
    return new Response(bytes, { headers })
  }
  const stream = handle.createReadStream({ start: 0, end: size - 1 })
  return new Response(Readable.toWeb(stream) as ReadableStream, { headers })
}

/** Bytes of the largest file that is read whole. A stream costs more time, and a client that stalls keeps what was read. */
const mostWhole = 128 << 10

/** The first bytes of a file, which is closed then. A file that was cut since gives fewer. */
async function readStart(handle: FileHandle, size: number): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const bytes = new Uint8Array(size)
    let count = 0
    for (let read = -1; count < size && read !== 0; count += read)
      read = (await handle.read(bytes, count, size - count, count)).bytesRead
    return bytes.subarray(0, count)
  } finally {
    await handle.close()
  }
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

/** The files of onnxruntime-web that pages load: the entry and its WebAssembly, for the CPU and for WebGPU. */
export const runtimeFiles: readonly string[] = [
  'ort.wasm.min.mjs',
  'ort-wasm-simd-threaded.mjs',
  'ort-wasm-simd-threaded.wasm',
  'ort.webgpu.min.mjs',
  'ort-wasm-simd-threaded.asyncify.mjs',
  'ort-wasm-simd-threaded.asyncify.wasm',
]

/** In the build's folder of the runtime's files: the version of onnxruntime-web that they are of. */
export const runtimeVersionFile = 'version.txt'

/** The version of the onnxruntime-web whose `dist` this is. */
export async function runtimeVersion(dist: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(dist, '..', 'package.json'), 'utf8')) as {
    version: string
  }
  return version
}

/** The files of pantin's `assets` folder that pages load: the shapes of heads, what finds faces, and the starters. */
export const assetFiles: readonly string[] = [
  'heads.bin',
  faceAsset,
  ...starters.flatMap(({ name }) =>
    [configFile, weightsFile, 'strings.json'].map((file) => `starters/${name}/${file}`),
  ),
]

/** The folder of onnxruntime-web's files. @throws an error of Node if the package is missing */
export const runtimeFolder = (): string =>
  dirname(createRequire(import.meta.url).resolve('onnxruntime-web/wasm'))

/** Pantin's assets, from `src/server` and from `dist/server` alike. */
export const assetsFolder = fileURLToPath(new URL('../../assets/', import.meta.url))

/** The files that are served to everybody. None of them is secret. */
export class Site {
  private constructor(
    /** The build's folder: the page, its scripts, the worker. */
    private readonly pages: string,
    /** The folder of onnxruntime-web's files. */
    private readonly runtime: string,
    /** Pantin's assets. */
    private readonly assets: string,
    /** The folder of the runtime's compressed forms; undefined if they are of another version. */
    private readonly packedRuntime: string | undefined,
  ) {}

  /**
   * @param folder of the pages (default: the folder that the build puts beside this one).
   * @throws EnvironmentError if they have not been built.
   */
  static async open(folder = fileURLToPath(new URL('../studio/', import.meta.url))): Promise<Site> {
    try {
      await realpath(join(folder, 'index.html'))
      const runtime = runtimeFolder()
      const pages = await realpath(folder)
      const packed = join(pages, 'ort')
      const version = await readFile(join(packed, runtimeVersionFile), 'utf8').catch(() => undefined)
      const isSame = version === (await runtimeVersion(runtime))
      const [ownRuntime, assets] = [await realpath(runtime), await realpath(assetsFolder)]
      return new Site(pages, ownRuntime, assets, isSame ? packed : undefined)
    } catch (error) {
      throw new EnvironmentError(
        {
          what: "the studio's pages are not there",
          where: folder,
          remedy: 'npm run build, or install pantin again',
        },
        { cause: error },
      )
    }
  }

  /** Answers with the file at an address; undefined if there is none. */
  async send(c: Context): Promise<Response | undefined> {
    const path = c.req.path.slice(1)
    const runtimeFile = /^ort\/([^/]+)$/.exec(path)?.[1]
    if (runtimeFile !== undefined) {
      if (!runtimeFiles.includes(runtimeFile)) return undefined
      return sendFile(c, this.runtime, runtimeFile, { cache: 'revalidate', packed: this.packedRuntime })
    }
    const asset = /^pantin\/(.+)$/.exec(path)?.[1]
    if (asset !== undefined) {
      if (!assetFiles.includes(asset)) return undefined
      return sendFile(c, this.assets, asset, { cache: 'revalidate' })
    }
    const cache = path.startsWith('assets/') ? 'forever' : 'revalidate'
    return sendFile(c, this.pages, path === '' ? 'index.html' : path, { cache, packed: this.pages })
  }
}
