// The studio's pages and the files that they load, from three folders: the build's, onnxruntime-web's, and pantin's assets.
import { realpath } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Context } from 'hono'
import { faceAsset } from '../faces/networks.ts'
import { configFile, weightsFile } from '../run/run-files.ts'
import { starters } from '../run/starters.ts'
import { EnvironmentError } from '../util/errors.ts'
import { sendFile } from './send-file.ts'

/** The files of onnxruntime-web that pages load: the entry and its WebAssembly, for the CPU and for WebGPU. */
export const runtimeFiles: readonly string[] = [
  'ort.wasm.min.mjs',
  'ort-wasm-simd-threaded.mjs',
  'ort-wasm-simd-threaded.wasm',
  'ort.webgpu.min.mjs',
  'ort-wasm-simd-threaded.asyncify.mjs',
  'ort-wasm-simd-threaded.asyncify.wasm',
]

/** The files of pantin's `assets` folder that pages load: the shapes of heads, what finds faces, and the starters. */
export const assetFiles: readonly string[] = [
  'heads.bin',
  faceAsset,
  ...starters.flatMap(({ name }) => [configFile, weightsFile].map((file) => `starters/${name}/${file}`)),
]

/** Pantin's assets, from `src/server` and from `dist/server` alike. */
const assetsFolder = fileURLToPath(new URL('../../assets/', import.meta.url))

/** The files that are served to everybody. None of them is secret. */
export class Site {
  private constructor(
    /** The build's folder: the page, its scripts, the worker. */
    private readonly pages: string,
    /** The folder of onnxruntime-web's files. */
    private readonly runtime: string,
    /** Pantin's assets. */
    private readonly assets: string,
  ) {}

  /**
   * @param folder of the pages (default: the folder that the build puts beside this one).
   * @throws EnvironmentError if they have not been built.
   */
  static async open(folder = fileURLToPath(new URL('../studio/', import.meta.url))): Promise<Site> {
    try {
      await realpath(join(folder, 'index.html'))
      const runtime = dirname(createRequire(import.meta.url).resolve('onnxruntime-web/wasm'))
      return new Site(await realpath(folder), await realpath(runtime), await realpath(assetsFolder))
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
      return sendFile(c, this.runtime, runtimeFile, { cache: 'revalidate' })
    }
    const asset = /^pantin\/(.+)$/.exec(path)?.[1]
    if (asset !== undefined) {
      if (!assetFiles.includes(asset)) return undefined
      return sendFile(c, this.assets, asset, { cache: 'revalidate' })
    }
    const cache = path.startsWith('assets/') ? 'forever' : 'revalidate'
    return sendFile(c, this.pages, path === '' ? 'index.html' : path, { cache, precompressed: true })
  }
}
