// onnxruntime-web, loaded and tried on a device of the browser.

import type * as Ort from 'onnxruntime-common'
import { Graph } from '../graph/graph.ts'
import { input } from '../graph/ops/leaf.ts'
import { relu } from '../graph/ops/unary.ts'
import { toOnnx } from '../onnx/export.ts'
import { EnvironmentError, InputError, messageOf } from '../util/errors.ts'
import { SerialQueue, tidy } from './ort.ts'

/** Where a browser computes: `cpu` is WebAssembly. */
export type WebDevice = 'cpu' | 'webgpu'

/** Where onnxruntime-web is, and what it computes on. */
export interface WebRuntimeOptions {
  /**
   * Address of the folder with the files of onnxruntime-web's `dist`, as a whole: its threads load files of their
   * own, so no bundler may pack them. Relative to the page or worker.
   */
  readonly folder: string
  /** `auto` (the default) is a GPU in hardware where there is one, else the CPU. A device that is named is used, or refused. */
  readonly device?: WebDevice | 'auto'
  /**
   * Threads within one op on the CPU (default: one for each core where the page is cross-origin isolated, else
   * one). All sessions of a page or worker share them.
   */
  readonly threads?: number
}

/** onnxruntime-web, loaded and tried: what a page's or worker's sessions have in common. */
export interface WebRuntime {
  /** The device that is really used. */
  readonly device: WebDevice
  /** Threads on the CPU that are really used. */
  readonly threads: number
  /** The GPU, where one is used. */
  readonly adapter?: AdapterInfo
  readonly ort: OrtModule
  /** Runs of one WebAssembly instance must not overlap. */
  readonly queue: SerialQueue
}

/** The module of onnxruntime-web, whatever its build. */
export type OrtModule = typeof Ort

/** The smallest build for each device: the one for WebGPU can wait for the GPU, which makes its CPU ops slower. */
const modules = { cpu: 'ort.wasm.min.mjs', webgpu: 'ort.webgpu.min.mjs' } as const
/** ONNX Runtime's name of each device. */
export const executionProviders = { cpu: 'wasm', webgpu: 'webgpu' } as const

/**
 * Loads onnxruntime-web and computes something small on the device.
 *
 * @throws EnvironmentError if the device is not there, threads are not available or the files are not in `folder`.
 * InputError if it is loaded already with another number of threads.
 */
export async function loadWebRuntime(options: WebRuntimeOptions): Promise<WebRuntime> {
  const { device: asked = 'auto' } = options
  const adapter = asked === 'cpu' ? undefined : await findAdapter()
  const device = asked === 'auto' ? (adapter !== undefined && !adapter.software ? 'webgpu' : 'cpu') : asked
  if (device === 'webgpu' && adapter === undefined) {
    throw new EnvironmentError({
      what: 'the device "webgpu" is not there',
      got: 'the browser offers no adapter',
      remedy: 'turn on hardware acceleration or WebGPU in the browser; or choose the device "cpu"',
    })
  }
  const threads = availableThreads(options.threads)
  const url = moduleUrl(options.folder, modules[device])
  const known = loaded.get(url)
  if (known === undefined) {
    const loading = load(url, options.folder, device, threads)
    loaded.set(url, { threads, loading })
    // What failed (a file that was not served) may be tried again.
    loading.catch(() => loaded.delete(url))
  } else if (known.threads !== threads) {
    throw new InputError({
      what: 'onnxruntime-web is loaded already, with another number of threads',
      got: `${threads}`,
      expected: `${known.threads}`,
      remedy: 'use another worker for sessions with another number of threads',
    })
  }
  const { ort, queue } = await loaded.get(url)!.loading
  return { device, threads, ort, queue, ...(device === 'webgpu' && adapter && { adapter }) }
}

interface Loaded {
  readonly ort: OrtModule
  readonly queue: SerialQueue
}

// A module and its WebAssembly instance exist once in a page or worker.
const loaded = new Map<string, { readonly threads: number; readonly loading: Promise<Loaded> }>()

async function load(url: string, folder: string, device: WebDevice, threads: number): Promise<Loaded> {
  try {
    // The address is only known at run time; bundlers are told to leave it alone.
    const ort: OrtModule = await import(/* @vite-ignore */ /* webpackIgnore: true */ url)
    ort.env.logLevel = 'fatal'
    ort.env.wasm.wasmPaths = moduleUrl(folder, '')
    ort.env.wasm.numThreads = threads
    const queue = new SerialQueue()
    await queue.add(() => tryRuntime(ort, device))
    return { ort, queue }
  } catch (error) {
    throw new EnvironmentError(
      {
        what: `onnxruntime-web does not start on the device "${device}"`,
        where: url,
        got: tidy(messageOf(error)),
      },
      { cause: error },
    )
  }
}

async function tryRuntime(ort: OrtModule, device: WebDevice): Promise<void> {
  const graph = new Graph()
  graph.output('y', relu(input(graph, 'x', 'float32', [2])))
  const session = await ort.InferenceSession.create(toOnnx(graph), {
    executionProviders: [executionProviders[device]],
  })
  const { y } = await session.run({ x: new ort.Tensor('float32', Float32Array.of(-1, 2), [2]) })
  const [first, second] = y!.data as Float32Array
  await session.release()
  if (first !== 0 || second !== 2)
    throw new Error(`it computes wrong results: relu([-1, 2]) = [${first}, ${second}]`)
}

/** What this module uses of a page's or worker's globals. */
interface Surroundings {
  readonly crossOriginIsolated?: boolean
  readonly location?: { readonly href: string }
  readonly navigator?: { readonly hardwareConcurrency?: number }
}
const surroundings = globalThis as Surroundings

function availableThreads(asked: number | undefined): number {
  const isolated = surroundings.crossOriginIsolated === true
  const threads = asked ?? (isolated ? (surroundings.navigator?.hardwareConcurrency ?? 1) : 1)
  if (!Number.isSafeInteger(threads) || threads < 1) {
    throw new InputError({
      what: 'this number of threads is not available',
      got: String(threads),
      expected: 'a whole number, 1 or more',
    })
  }
  // onnxruntime-web would go on with one thread.
  if (threads > 1 && !isolated) {
    throw new EnvironmentError({
      what: `${threads} threads are not available: the page is not cross-origin isolated`,
      remedy:
        'serve it with "Cross-Origin-Opener-Policy: same-origin" and "Cross-Origin-Embedder-Policy: require-corp"',
    })
  }
  return threads
}

function moduleUrl(folder: string, file: string): string {
  const base = new URL(folder.endsWith('/') ? folder : `${folder}/`, surroundings.location?.href)
  return new URL(file, base).href
}

/** A browser's GPU. */
export interface AdapterInfo {
  /** Vendor, architecture and description, as far as the browser tells. */
  readonly name: string
  /** Whether it computes on the CPU after all. */
  readonly software: boolean
}

/** The little of WebGPU's interface that is asked here; its types would bring a page's globals with them. */
interface Gpu {
  requestAdapter(options: { powerPreference: 'high-performance' }): Promise<{
    readonly info?: Partial<Record<'vendor' | 'architecture' | 'device' | 'description', string>> & {
      readonly isFallbackAdapter?: boolean
    }
    readonly isFallbackAdapter?: boolean
  } | null>
}

/** The adapter that WebGPU would use; undefined if there is none. */
async function findAdapter(): Promise<AdapterInfo | undefined> {
  const { navigator } = globalThis as { readonly navigator?: { readonly gpu?: Gpu } }
  const adapter = await navigator?.gpu?.requestAdapter({ powerPreference: 'high-performance' })
  if (adapter === null || adapter === undefined) return undefined
  const { vendor, architecture, device, description } = adapter.info ?? {}
  const name = [vendor, architecture, device, description].filter(Boolean).join(' ') || 'unknown'
  const fallback = adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false
  // Chromium does not call its software adapter a fallback where it was told to use it.
  return { name, software: fallback || /swiftshader|llvmpipe|software/i.test(name) }
}
