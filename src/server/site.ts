import { realpath } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Context } from 'hono'
import { EnvironmentError } from '../util/errors.ts'
import { runtimeFiles } from './runtime-files.ts'
import { sendFile } from './send-file.ts'

/** The studio's pages and what they load, from two folders. */
export class Site {
  private constructor(
    /** What the build made: the page, its scripts, the worker, built-in runs. */
    private readonly pages: string,
    /** onnxruntime-web's files. */
    private readonly runtime: string,
  ) {}

  /**
   * @param folder of the pages (default: the one that the build puts beside this floor).
   * @throws EnvironmentError where they have not been built.
   */
  static async open(folder = fileURLToPath(new URL('../studio/', import.meta.url))): Promise<Site> {
    try {
      await realpath(join(folder, 'index.html'))
      const runtime = dirname(createRequire(import.meta.url).resolve('onnxruntime-web/wasm'))
      return new Site(await realpath(folder), await realpath(runtime))
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

  /** Answers with the file that an address names; undefined where there is none. */
  async send(c: Context): Promise<Response | undefined> {
    const path = c.req.path.slice(1)
    const runtimeFile = /^ort\/([^/]+)$/.exec(path)?.[1]
    if (runtimeFile !== undefined) {
      if (!runtimeFiles.includes(runtimeFile)) return undefined
      return sendFile(c, this.runtime, runtimeFile, { cache: 'ask' })
    }
    const cache = path.startsWith('assets/') ? 'forever' : 'ask'
    return sendFile(c, this.pages, path === '' ? 'index.html' : path, { cache, precompressed: true })
  }
}
