// A store on an S3-compatible server: AWS, SeaweedFS, Ceph, R2 and others. Requests that a server cannot answer now are
// repeated for two minutes. Credentials come from the usual variables, and are in no name and no message.
import { createWriteStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { S3mini } from 's3mini'
import { createOutput } from '../files/atomic.ts'
import { fileError } from '../files/file-errors.ts'
import { EnvironmentError, type FormatError, InputError, messageOf, PantinError } from '../util/errors.ts'
import { assertKey, type Store, type Stored, tooLarge } from './task.ts'

/** Where a store is, and who asks. */
interface Address {
  readonly bucket: string
  /** Empty, or ends with `/`. */
  readonly prefix: string
  readonly endpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/**
 * Reads the address of a store: `s3://BUCKET/PREFIX`.
 *
 * @param env has AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and may have AWS_REGION, AWS_ENDPOINT_URL_S3 and
 * AWS_ENDPOINT_URL
 * @throws InputError for an address that is none, and for one with a password in it, which the message does not show.
 */
export function parseS3(named: string, env: NodeJS.ProcessEnv): Address {
  const found = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([\w./-]*))?$/.exec(named)
  const prefix = (found?.[2] ?? '').replace(/\/+$/, '')
  if (found === null || prefix.split('/').some((part) => /^\.+$/.test(part))) {
    throw new InputError({
      what: 'this is not the address of a store',
      where: '--store',
      expected: 's3://BUCKET or s3://BUCKET/PREFIX, without user and password',
      remedy:
        'put the server into AWS_ENDPOINT_URL, and the keys into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
    })
  }
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env
  if (!accessKeyId || !secretAccessKey) {
    throw new InputError({
      what: 'the keys of the store are missing',
      where: '--store',
      expected: 'the environment variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
    })
  }
  const region = env.AWS_REGION || env.AWS_DEFAULT_REGION || 'us-east-1'
  const endpoint = env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL || `https://s3.${region}.amazonaws.com`
  const url = URL.parse(endpoint)
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new InputError({
      what: 'this is not the address of a server',
      where: 'AWS_ENDPOINT_URL',
      expected: 'https://HOST:PORT, without user and password',
    })
  }
  return {
    ...{ bucket: found[1]!, prefix: prefix === '' ? '' : `${prefix}/` },
    ...{ endpoint: `${url.origin}${url.pathname.replace(/\/$/, '')}`, region, accessKeyId, secretAccessKey },
  }
}

/** Opens the store at an address, and makes its bucket if it is missing. @throws InputError, EnvironmentError */
export async function openS3(named: string, env: NodeJS.ProcessEnv = process.env): Promise<Store> {
  const address = parseS3(named, env)
  const { bucket, endpoint, region, accessKeyId, secretAccessKey } = address
  const { S3mini } = await loadS3()
  const options = {
    ...{ region, accessKeyId, secretAccessKey, endpoint: `${endpoint}/${bucket}` },
    requestAbortTimeout: 120_000,
  }
  const client = new S3mini(options)
  // The library's own requests cannot have this header, by which a server refuses to replace an object.
  const creator = new S3mini({
    ...options,
    fetch: (input, init) => {
      const headers = new Headers(init?.headers)
      headers.set('if-none-match', '*')
      return fetch(input, { ...init, headers })
    },
  })
  const name = `s3://${bucket}/${address.prefix}`.replace(/\/$/, '')
  const store = new S3Store(name, address.prefix, client, creator)
  await store.begin()
  return store
}

async function loadS3(): Promise<typeof import('s3mini')> {
  try {
    return await import('s3mini')
  } catch (error) {
    throw new EnvironmentError(
      {
        what: 'the package for S3 is not installed',
        where: '--store',
        got: messageOf(error).split('\n')[0]!,
        remedy: 'npm install s3mini; or name a folder that all machines share',
      },
      { cause: error },
    )
  }
}

/** Bytes that are sent in one request. Larger files go in parts of this size. */
const partBytes = 32 << 20
/** Seconds for which a request is repeated, and milliseconds of the first and the longest pause. */
const patience = 120
const [firstPause, longestPause] = [250, 5000]

class S3Store implements Store {
  constructor(
    readonly name: string,
    private readonly prefix: string,
    private readonly client: S3mini,
    private readonly creator: S3mini,
  ) {}

  /** Makes the bucket if it is missing, and checks that the server refuses to replace an object where it is asked to. */
  async begin(): Promise<void> {
    await this.patiently('bucket', async () => {
      if (!(await this.client.bucketExists())) await this.client.createBucket()
    })
    await this.create('probe.json', '{}')
    if (!(await this.create('probe.json', '{}'))) return
    throw new EnvironmentError({
      what: 'the server cannot create an object under the condition that there is none',
      where: this.name,
      expected: 'a server that knows the header If-None-Match of PutObject',
      remedy: 'upgrade the server, or name a folder that all machines share',
    })
  }

  read(key: string, most: number): Promise<Buffer | undefined> {
    return this.patiently(key, async () => {
      const response = await this.client.getObjectResponse(this.at(key))
      if (response === null) return undefined
      const parts: Uint8Array[] = []
      let bytes = 0
      for await (const part of response.body ?? []) {
        bytes += part.length
        if (bytes > most) throw tooLarge(this, key, most)
        parts.push(part)
      }
      return Buffer.concat(parts)
    })
  }

  async write(key: string, content: string): Promise<void> {
    await this.patiently(key, () => this.client.putObject(this.at(key), content, 'application/json'))
  }

  create(key: string, content: string): Promise<boolean> {
    let tried = false
    return this.patiently(key, async () => {
      try {
        await this.creator.putObject(this.at(key), content, 'application/json')
        return true
      } catch (error) {
        if (statusOf(error) !== 412 && statusOf(error) !== 409) {
          tried = true
          throw error
        }
        // An earlier try of this call may have reached the server, although its answer was lost.
        return tried && (await this.client.getObject(this.at(key))) === content
      }
    })
  }

  has(key: string): Promise<boolean> {
    return this.patiently(key, async () => (await this.client.objectExists(this.at(key))) === true)
  }

  async *list(prefix: string): AsyncGenerator<Stored> {
    let token: string | undefined
    do {
      const page = await this.patiently(prefix, () =>
        this.client.listObjectsPaged('/', this.prefix + prefix, 1000, token, { delimiter: '' }),
      )
      for (const { Key } of page?.objects ?? []) yield { key: Key.slice(this.prefix.length) }
      token = page?.nextContinuationToken
    } while (token !== undefined)
  }

  async remove(key: string): Promise<void> {
    await this.patiently(key, () => this.client.deleteObject(this.at(key)))
  }

  async upload(path: string, key: string): Promise<void> {
    const { size } = await stat(path).catch((error: unknown) => {
      throw fileError(error, path, 'read')
    })
    const file = await open(path)
    try {
      const part = async (at: number) => {
        const bytes = Buffer.alloc(Math.min(partBytes, size - at))
        const { bytesRead } = await file.read(bytes, 0, bytes.length, at)
        return bytes.subarray(0, bytesRead)
      }
      if (size <= partBytes) {
        const bytes = await part(0)
        await this.patiently(key, () => this.client.putObject(this.at(key), bytes))
        return
      }
      const id = await this.patiently(key, () => this.client.getMultipartUploadId(this.at(key)))
      const parts: Awaited<ReturnType<S3mini['uploadPart']>>[] = []
      for (let at = 0; at < size; at += partBytes) {
        const bytes = await part(at)
        const number = parts.length + 1
        parts.push(await this.patiently(key, () => this.client.uploadPart(this.at(key), id, bytes, number)))
      }
      await this.patiently(key, () => this.client.completeMultipartUpload(this.at(key), id, parts))
    } finally {
      await file.close()
    }
  }

  async download(key: string, path: string, most: number): Promise<void> {
    const output = await createOutput(path, { overwrite: true })
    try {
      await this.patiently(key, async () => {
        const response = await this.client.getObjectResponse(this.at(key))
        if (response === null) {
          throw new InputError({ what: 'the store has no such object', where: `${this.name}: ${key}` })
        }
        const pieces = piecesOf(response, most, () => tooLarge(this, key, most))
        await pipeline(pieces, createWriteStream(output.temporary))
      })
      await output.commit()
    } catch (error) {
      throw fileError(error, path, 'written')
    } finally {
      await output.abort()
    }
  }

  private at(key: string): string {
    assertKey(key)
    return this.prefix + key
  }

  /** Repeats a request that failed for a reason that may pass: no connection, too many requests, a server's own error. */
  private async patiently<T>(key: string, request: () => Promise<T>): Promise<T> {
    let failing: number | undefined
    for (let pause = firstPause; ; pause = Math.min(2 * pause, longestPause)) {
      try {
        return await request()
      } catch (error) {
        if (error instanceof PantinError) throw error
        const status = statusOf(error)
        const mayPass = status === undefined || status === 429 || status >= 500
        // Counted from the first failure: a request that is slow alone is no sign of a server that is away.
        failing ??= performance.now()
        if (!mayPass || performance.now() - failing > patience * 1000) throw this.problem(error, key)
        await sleep(pause * (0.5 + Math.random()))
      }
    }
  }

  private problem(error: unknown, key: string): EnvironmentError {
    const status = statusOf(error)
    const code = error instanceof Error && 'serviceCode' in error ? ` ${String(error.serviceCode)}` : ''
    const remedy =
      status === 403 || status === 401
        ? 'check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the rights of this user in the bucket'
        : status !== undefined && status >= 500
          ? 'look into the log of the server, and check that it has room for more objects'
          : 'check AWS_ENDPOINT_URL, AWS_REGION and the server'
    return new EnvironmentError({
      what: status === undefined ? 'the store does not answer' : 'the store refuses a request',
      where: `${this.name}: ${key}`,
      got: status === undefined ? 'no connection' : `status ${status}${code}`,
      remedy,
    })
  }
}

/** The status of an answer; undefined if there was none. */
const statusOf = (error: unknown): number | undefined =>
  error instanceof Error && 'status' in error && typeof error.status === 'number' ? error.status : undefined

/** What a response holds, as it comes in. @throws `excess` after `most` bytes */
async function* piecesOf(
  { body }: Response,
  most: number,
  excess: () => FormatError,
): AsyncGenerator<Uint8Array> {
  const reader = body?.getReader()
  let bytes = 0
  for (let piece = await reader?.read(); piece?.value !== undefined; piece = await reader?.read()) {
    bytes += piece.value.length
    if (bytes > most) {
      await reader?.cancel()
      throw excess()
    }
    yield piece.value
  }
}
