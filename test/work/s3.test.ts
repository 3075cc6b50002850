// What a store makes of an S3 server that is hostile, or refuses its keys.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { openS3 } from '../../src/work/s3-store.ts'
import { mostTaskBytes } from '../../src/work/task.ts'

const [key, secret] = ['key-5e1f', 'hunter2-77aa']
let server: Server
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

/** Starts a server. @returns the variables by which a store finds it */
async function serve(answer: RequestListener): Promise<NodeJS.ProcessEnv> {
  server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const at = server.address()
  const port = typeof at === 'object' ? at?.port : undefined
  return {
    ...{ AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` },
    ...{ AWS_ACCESS_KEY_ID: key, AWS_SECRET_ACCESS_KEY: secret },
  }
}

/** A server each of whose objects has 100 MB. @returns how many of them it has sent, too */
async function serveHuge() {
  let sent = 0
  const env = await serve((request, response) => {
    request.resume()
    if (request.method !== 'GET') {
      // The bucket is there, and so is the object by which the store tests the server.
      response.writeHead(request.method === 'PUT' ? 412 : 200).end()
      return
    }
    const parts = function* () {
      for (; sent < 100; sent++) yield Buffer.alloc(1 << 20, '"')
    }
    void pipeline(Readable.from(parts()), response).catch(() => {})
  })
  return { env, megabytes: () => sent }
}

describe('a store on an S3 server', () => {
  it('reads no more of an object than it may have', async () => {
    const { env, megabytes } = await serveHuge()
    const store = await openS3('s3://lab', env)
    // The length alone: a message with 100 MB would take minutes.
    const length = store.read('tasks/huge.json', mostTaskBytes).then((content) => content?.length)
    await expect(length).rejects.toThrow('the object is too large')
    expect(megabytes()).toBeLessThan(50)
  })

  it('copies no more of an object than it may have', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pantin-s3-'))
    const { env, megabytes } = await serveHuge()
    try {
      const store = await openS3('s3://lab', env)
      const copying = store.download('inputs/huge', join(folder, 'huge'), 3 << 20)
      await expect(copying).rejects.toThrow('the object is too large')
      expect(megabytes()).toBeLessThan(50)
      expect(readdirSync(folder)).toEqual([])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it.each([
    [403, 'AWS_SECRET_ACCESS_KEY and the rights'],
    [400, 'check AWS_ENDPOINT_URL'],
  ])('says what to do about status %i, and shows no key', async (status, remedy) => {
    const env = await serve((request, response) => {
      request.resume()
      // A server may repeat what it was sent.
      response.writeHead(status).end(`<Error><Code>Denied</Code><Message>${key} ${secret}</Message></Error>`)
    })
    const error = await openS3('s3://lab', env).catch((thrown: unknown) => thrown)
    expect(String(error)).toContain(`status ${status}`)
    expect(String(error)).toContain(remedy)
    expect(String(error)).not.toContain(key)
    expect(String(error)).not.toContain(secret)
  })
})
