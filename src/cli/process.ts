// The process and its caller: signals, closed pipes and terminals, arguments and their quoting, and the end, with an exit
// code, a message for people, and JSON for scripts. Native parts of packages that cannot be loaded are recognised here.
import { closeSync } from 'node:fs'
import { arch, platform } from 'node:os'
import { isatty } from 'node:tty'
import { CommanderError } from 'commander'
import { EnvironmentError, InputError, messageOf, PantinError, shellWord } from '../util/errors.ts'
import { printable, toJson } from './context.ts'

/** Exit codes by convention: 128 plus the number of the signal. */
const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

/** Exit code of a command that a signal ended before it wrote anything: that of the first signal. */
let interrupted: number = signals.SIGINT

/**
 * The first Ctrl-C asks the work to stop, which it does at its next safe point. The second ends the process. A terminal
 * that is closed counts as the first. It may send its signal more than once, so this signal never ends the process.
 *
 * @param announce called at the first Ctrl-C
 */
export function stopOnSignals(announce: () => void): AbortSignal {
  const controller = new AbortController()
  for (const [name, code] of Object.entries(signals)) {
    process.on(name, () => {
      if (controller.signal.aborted && name !== 'SIGHUP') process.exit(code)
      if (controller.signal.aborted) return
      interrupted = code
      announce()
      controller.abort()
    })
  }
  return controller.signal
}

/**
 * Ends the process without an error if a reader closes the pipe, as in `pantin info lednet | head -1`. Goes on without a
 * terminal. If the result cannot be written, because the disk is full for instance, it says so and ends the process.
 */
export function allowClosedPipes(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    // The terminal is closed. SIGHUP says so too, and what has been computed is still to be saved.
    if (error.code === 'EIO') return
    const failure = explain(unwritten(error), false)
    // The JSON of the failure would find no room either.
    printFailure(failure, false)
    process.exit(failure.exitCode)
  })
  // If nobody reads the progress any more, the work continues.
  process.stderr.on('error', () => {})
}

const unwritten = (error: Error): EnvironmentError =>
  new EnvironmentError(
    {
      what: 'the result could not be written',
      where: 'standard output',
      got: error.message,
      remedy: 'free some space, or send the output elsewhere, then run the command again',
    },
    { cause: error },
  )

/**
 * Lets go of a terminal that was closed. Node would set it back to its first state when the process ends, and crashes
 * (SIGSEGV in Node 20) if the terminal is gone.
 */
export function allowClosedTerminal(): void {
  const terminals = [0, 1, 2].filter((fd) => isatty(fd))
  process.on('exit', () => {
    for (const fd of terminals) if (!isatty(fd)) closeQuietly(fd)
  })
}

function closeQuietly(fd: number): void {
  try {
    closeSync(fd)
  } catch {
    // It is closed already.
  }
}

/** Ends the process after all output has been read. Native threads may still be running. */
export async function leave(code: number): Promise<never> {
  await Promise.all([process.stdout, process.stderr].map(flushed))
  process.exit(code)
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || !stream.writable) resolve()
    else stream.write('', () => resolve())
  })
}

/**
 * Largest size of a process's arguments. onnxruntime-node 1.30 reads the arguments when its first session opens. On Linux
 * it ends the process with a segmentation fault if they have 32,000 bytes or more.
 */
const maxArgumentBytes = 30_000

/** Refuses arguments that would crash ONNX Runtime later, as the `*.mp4` of a large folder would. @throws InputError */
export function assertArgumentLength(args: readonly string[]): void {
  const bytes = args.reduce((sum, arg) => sum + Buffer.byteLength(arg) + 1, 0)
  if (bytes <= maxArgumentBytes) return
  throw new InputError({
    what: 'the command line is too long: ONNX Runtime would crash',
    got: `${bytes} bytes`,
    expected: `at most ${maxArgumentBytes}`,
    remedy: 'name a folder instead of its videos, or puppet:1..200 instead of single puppets',
  })
}

/** An error as the command line reports it. */
export interface Failure {
  readonly exitCode: number
  /** For stderr; empty if it has been printed already. */
  readonly text: string
  /** For stdout under --json. */
  readonly json: { readonly error: object } | undefined
}

/** Turns anything thrown into an exit code and a message. @param stopped whether the user asked to stop */
export function explain(thrown: unknown, stopped: boolean): Failure {
  const error = missingPart(thrown) ?? thrown
  if (error instanceof CommanderError) return usage(error)
  if (error instanceof PantinError) {
    const { name, message, exitCode, problem } = error
    return { exitCode, text: `pantin: ${message}`, json: { error: { name, message, ...problem, exitCode } } }
  }
  if (isStop(error, stopped)) {
    const message = 'stopped before the work was done: nothing was written'
    return {
      exitCode: interrupted,
      text: `pantin: ${message}`,
      json: { error: { name: 'Interrupted', message, exitCode: interrupted } },
    }
  }
  return bug(error)
}

/** Whether an error was thrown because the user asked to stop. @param stopped whether the user did */
export const isStop = (error: unknown, stopped: boolean): boolean =>
  stopped && error instanceof Error && error.name === 'AbortError'

/** Commander has printed its message already. Help and version arrive here too, with exit code 0. */
function usage(error: CommanderError): Failure {
  if (error.exitCode === 0) return { exitCode: 0, text: '', json: undefined }
  const message = error.message.replace(/^error: /, '')
  return { exitCode: 2, text: '', json: { error: { name: 'UsageError', message, exitCode: 2 } } }
}

function bug(error: unknown): Failure {
  const message = messageOf(error)
  const stack = error instanceof Error ? (error.stack ?? message) : message
  return {
    exitCode: 1,
    text: `pantin: this is a bug in pantin, please report it with the lines below\n${stack}`,
    json: { error: { name: 'Bug', message, exitCode: 1 } },
  }
}

/** Prints a failure: for people on stderr, and under --json for scripts on stdout. */
export function printFailure({ text, json }: Failure, asJson: boolean): void {
  if (text !== '') process.stderr.write(`${printable(text)}\n`)
  if (asJson && json !== undefined) process.stdout.write(`${toJson(json)}\n`)
}

/** Words as one command. Words that the shell would change are in quotes. */
export function commandLine(words: readonly string[], platform: string = process.platform): string {
  return words.map((word) => shellWord(word, platform)).join(' ')
}

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
