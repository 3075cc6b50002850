// Recognises that a native part of a package is missing or is for another system, and says what to install.
import { arch, platform } from 'node:os'
import { EnvironmentError, messageOf } from '../util/errors.ts'

/** Codes of modules and libraries that cannot be loaded. */
const loading: ReadonlySet<unknown> = new Set([
  'MODULE_NOT_FOUND',
  'ERR_MODULE_NOT_FOUND',
  'ERR_DLOPEN_FAILED',
])

/** The systems that onnxruntime-node has binaries for. */
const runtimeSystems = ['linux x64', 'linux arm64', 'darwin arm64', 'win32 x64', 'win32 arm64']

/** The system of this process. A test gives another one. */
export interface System {
  /** `linux x64`. */
  readonly name: string
  /** The C library, on Linux. */
  readonly libc: 'glibc' | 'musl' | undefined
}

/**
 * The error to show if a package's native part could not be loaded; undefined for any other error.
 *
 * @param error as the loader of modules throws it, or as sharp does.
 */
export function missingPart(error: unknown, system: System = systemHere()): EnvironmentError | undefined {
  if (!(error instanceof Error)) return undefined
  const isLoading = loading.has('code' in error ? error.code : undefined)
  const text = `${error.message} ${'requireStack' in error ? String(error.requireStack) : ''}`
  const isSharp =
    /Could not load the "sharp" module/.test(text) || (isLoading && /@img\/|\bsharp\b/.test(text))
  if (isSharp) return missing('sharp', remedyOfSharp(system), error, system)
  if (!isLoading || !/onnxruntime/.test(text)) return undefined
  return missing('onnxruntime-node', remedyOfRuntime(system), error, system)
}

function missing(
  name: string,
  remedy: string,
  error: Error,
  { name: system, libc }: System,
): EnvironmentError {
  const here = libc === undefined ? system : `${system}, ${libc}`
  return new EnvironmentError(
    {
      what: `the package ${name} cannot be loaded: its part for this system is missing, or is for another system`,
      where: name,
      got: messageOf(error).split('\n')[0]!,
      expected: `${name} for ${here}`,
      remedy,
    },
    { cause: error },
  )
}

function remedyOfRuntime({ name, libc }: System): string {
  if (libc === 'musl') {
    return 'onnxruntime-node needs glibc, and this system has musl (Alpine): use an image with glibc, such as node:22-slim'
  }
  if (!runtimeSystems.includes(name)) return `use one of these systems: ${runtimeSystems.join('; ')}`
  return 'remove node_modules and install on this machine: npm install; do not copy node_modules from another system'
}

function remedyOfSharp({ name, libc }: System): string {
  const [os, cpu] = name.split(' ')
  const flags = `--os=${os} --cpu=${cpu}${libc === undefined ? '' : ` --libc=${libc}`}`
  return `npm install --include=optional ${flags} sharp; do not copy node_modules from another system`
}

function systemHere(): System {
  const name = `${platform()} ${arch()}`
  return { name, libc: platform() === 'linux' ? libcHere() : undefined }
}

/** Node's report names the version of glibc, and nothing on musl. */
function libcHere(): 'glibc' | 'musl' {
  // Otherwise the report asks for the names of all addresses. The types of Node 20 lack the property.
  Object.assign(process.report, { excludeNetwork: true })
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } }
  return header?.glibcVersionRuntime === undefined ? 'musl' : 'glibc'
}
