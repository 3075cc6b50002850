// Reads a run in a page: from an address, a zip, or files; and packs it into a zip again.
import { type UnzipFileInfo, type Unzipped, unzipSync, zipSync } from 'fflate'
import { checkHeaderLength, readHeader } from '../formats/safetensors/header.ts'
import type { MotionConfig } from '../motion/config.ts'
import { configFile, isRunFile, weightsFile } from '../run/run-files.ts'
import { findStarter, starterNames } from '../run/starters.ts'
import { FormatError, InputError, messageOf } from '../util/errors.ts'
import { assetsAddress } from './connection.ts'

/** A run's files by their paths in its folder. */
export type RunFiles = ReadonlyMap<string, Blob>

/** A run, as `train` writes its folder. It holds nothing that must be freed. */
export interface WebRun {
  /** Name of the run. */
  readonly name: string
  /** The model of the run. */
  readonly config: MotionConfig
  /** Optimiser steps done; undefined if the weights do not say. */
  readonly step: number | undefined
  /** Its files, by their paths in its folder. */
  files(): RunFiles
  /** A zip with one folder that has the run's name. Unpacked, it is a run of the command line. */
  toZip(): Promise<Blob>
}

/** How a run is read. */
export interface OpenRunOptions {
  /** The run's name (default: the name of its folder or file). */
  readonly name?: string
  /** Headers of the requests, if the source is an address: a token, for example. */
  readonly headers?: Readonly<Record<string, string>>
  /** Address of pantin's `assets` folder, which holds the starters (default: see `WorkerPlace`). */
  readonly assetsFolder?: string
  /** Gives the reading up, which then throws the signal's reason. */
  readonly signal?: AbortSignal
}

/**
 * Reads a run that `train` wrote, in Node or in a browser, or a starter: `await openRun('face')`.
 *
 * @param source the name of a starter (see `starters`), the address of a run folder, the address or the bytes of its zip,
 * or its files by their paths. The paths may begin with the folder's name. `./face` is always an address.
 * @throws InputError if there is no run, FormatError if a file does not fit. The signal's reason, if it is aborted.
 */
export async function openRun(
  source: string | Blob | RunFiles,
  options: OpenRunOptions = {},
): Promise<WebRun> {
  options.signal?.throwIfAborted()
  if (typeof source === 'string') {
    const { name = lastPart(source) } = options
    if (findStarter(source) !== undefined) {
      return openRun(`${assetsAddress(options)}starters/${source}/`, { ...options, name })
    }
    if (source.toLowerCase().endsWith('.zip')) return fromZip(await fetched(source, options), name)
    const base = source.endsWith('/') ? source : `${source}/`
    const files = [configFile, weightsFile].map(
      async (file) => [file, await fetched(base + file, options)] as const,
    )
    return fromFiles(new Map(await Promise.all(files)), name)
  }
  if (source instanceof Blob) {
    const named = 'name' in source && typeof source.name === 'string' ? source.name : 'run.zip'
    return fromZip(source, options.name ?? lastPart(named))
  }
  return fromFiles(source, options.name)
}

/** The most bytes that a zip may have unpacked: a zip of a few kilobytes could fill the memory. */
const maxBytes = 2 ** 30

async function fromZip(zip: Blob, name: string): Promise<WebRun> {
  const bytes = new Uint8Array(await zip.arrayBuffer())
  let total = 0
  const filter = ({ name: path, size, originalSize }: UnzipFileInfo) => {
    // A run may be in a folder. No other file of the archive is unpacked.
    if (!isRunFile(path) && !isRunFile(path.replace(/^[^/]+\//, ''))) return false
    // What is stored as it is has its size in the archive, whatever the entry says it has.
    total += Math.max(size, originalSize)
    return total <= maxBytes
  }
  let entries: Unzipped
  try {
    entries = unzipSync(bytes, { filter })
  } catch (error) {
    throw notAZip(name, error)
  }
  if (total > maxBytes) {
    throw new InputError({
      what: 'the run is too large for a page',
      where: name,
      got: `${total} bytes`,
      expected: `at most ${maxBytes}`,
      remedy: 'use the command line for it',
    })
  }
  const blobs = Object.entries(entries).map(
    ([path, data]) => [path, new Blob([data as Uint8Array<ArrayBuffer>])] as const,
  )
  return fromFiles(new Map(blobs), name)
}

function notAZip(name: string, cause: unknown): FormatError {
  return new FormatError(
    {
      what: 'not a zip that can be read',
      where: name,
      got: messageOf(cause),
      expected: 'the zip of a run folder',
      remedy: 'zip the folder that train wrote, or choose the folder itself',
    },
    { cause },
  )
}

/** @param name default: the name of the folder that the files are in */
async function fromFiles(given: RunFiles, name?: string): Promise<WebRun> {
  const at = [...given.keys()]
    .filter((path) => path === configFile || path.endsWith(`/${configFile}`))
    .sort((a, b) => a.length - b.length)[0]
  if (at === undefined) {
    throw new InputError({
      what: 'not a run',
      where: name ?? 'the files',
      got: [...given.keys()].slice(0, 5).join(', ') || 'no files',
      expected: `${configFile} and ${weightsFile}, as train writes them`,
      remedy: 'give the folder that train wrote (its --out), or a zip of that folder',
    })
  }
  const folder = at.slice(0, -configFile.length)
  const files = new Map(
    Array.from(given).flatMap(([path, blob]) => {
      const own = path.slice(folder.length)
      return path.startsWith(folder) && isRunFile(own) ? [[own, blob] as const] : []
    }),
  )
  return runOf(files, name ?? (lastPart(folder) || 'run'))
}

/** A run of its files, by their paths in its folder. @throws InputError, FormatError as `openRun`. */
export async function runOf(files: RunFiles, name: string): Promise<WebRun> {
  const config = modelOf(await files.get(configFile)!.text(), name)
  const weights = files.get(weightsFile)
  if (weights === undefined) {
    throw new InputError({
      what: 'this run has no weights yet',
      where: name,
      got: `no ${weightsFile}`,
      remedy: 'let train finish, or resume it',
    })
  }
  const step = await stepOf(weights, `${name}/${weightsFile}`)
  return { name, config, step, files: () => files, toZip: () => zipped(files, name) }
}

/**
 * The motion model of a config.json. Only the worker, which computes with it, checks it in full.
 *
 * @throws FormatError for text that is no JSON; InputError if there is no motion model.
 */
export function modelOf(text: string, name: string): MotionConfig {
  const where = `${name}/${configFile}`
  try {
    const config: unknown = JSON.parse(text)
    if (typeof config === 'object' && config !== null && 'model' in config && 'pantin' in config) {
      const { model } = config
      if (typeof model === 'object' && model !== null && 'net' in model) return model as MotionConfig
    }
  } catch (cause) {
    throw new FormatError({ what: 'not valid JSON', where, got: messageOf(cause).slice(0, 200) }, { cause })
  }
  throw new InputError({
    what: 'the folder holds no motion model',
    where,
    expected: 'a run that train or distil made, or a First Order Motion Model that import made',
  })
}

/** The step that is written in the weights. @throws FormatError if they are not a safetensors file. */
async function stepOf(weights: Blob, where: string): Promise<number | undefined> {
  const part = async (from: number, to: number) => new Uint8Array(await weights.slice(from, to).arrayBuffer())
  const length = checkHeaderLength(await part(0, 8), weights.size, where)
  const { metadata } = readHeader(await part(8, 8 + length), weights.size - 8 - length, where)
  const step = Number(metadata.get('step') ?? Number.NaN)
  return Number.isSafeInteger(step) ? step : undefined
}

/** A zip of a folder. Weights hardly get smaller, so that nothing is compressed. */
async function zipped(files: RunFiles, name: string): Promise<Blob> {
  const entries: Record<string, Uint8Array> = {}
  for (const [path, blob] of files) {
    entries[`${name}/${path}`] = new Uint8Array(await blob.arrayBuffer())
  }
  const bytes = zipSync(entries, { level: 0 }) as Uint8Array<ArrayBuffer>
  return new Blob([bytes], { type: 'application/zip' })
}

async function fetched(address: string, { headers = {}, signal }: OpenRunOptions): Promise<Blob> {
  try {
    const response = await fetch(address, { headers, ...(signal && { signal }) })
    if (!response.ok) throw unreachable(address, `status ${response.status}`)
    return await response.blob()
  } catch (error) {
    signal?.throwIfAborted()
    throw error instanceof InputError ? error : unreachable(address, messageOf(error))
  }
}

function unreachable(address: string, got: string): InputError {
  return new InputError({
    what: 'the run cannot be fetched',
    where: address,
    got,
    expected: `the files of a run folder at this address; or the name of a starter: ${starterNames()}`,
    remedy: 'check the address, and that the server has it',
  })
}

/** `me` of `runs/me/` and of `me.zip`. */
function lastPart(path: string): string {
  const [plain] = path.split(/[?#]/)
  const part = plain!.replace(/\/+$/, '').split('/').at(-1)!
  return part.replace(/\.zip$/i, '')
}
