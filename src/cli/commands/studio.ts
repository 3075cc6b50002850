// `pantin studio [RUN...]` serves the studio until Ctrl-C. `pantin web-assets FOLDER` copies what pages of one's own load.
import { copyFile, mkdir, readdir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EnvironmentError, InputError, messageOf } from '../../util/errors.ts'
import { type AddCommand, type Context, withCommonFlags } from '../context.ts'
import { wholeNumber } from '../options.ts'

interface StudioFlags {
  readonly port?: number
  readonly host?: string
  readonly open: boolean
  readonly save?: string
}

/** `pantin studio [RUN...]`. */
export const addStudio: AddCommand = (program, call) => {
  const command = program
    .command('studio')
    .summary('train, compare and animate in the browser')
    .description(
      'Serves the studio: a page that trains, compares and animates in the browser, on this machine, and shows runs while they train. The server writes no files unless --save names a folder. Ctrl-C ends it.',
    )
    .argument('[run...]', 'folders of runs or studies to show, or folders with such folders in them')
    .option(
      '--port <n>',
      'port to serve on; 0 takes a free one, but browsers store runs separately for each port (default: 7268)',
      wholeNumber('--port', { max: 65535 }),
    )
    .option('--host <name>', 'address to serve on (default: 127.0.0.1, which only this machine reaches)')
    .option(
      '--save <folder>',
      'let the page save the runs of the browser in this folder; runs that are there are shown, and never replaced',
    )
    .option('--no-open', 'do not open a browser')
  withCommonFlags(command).action(call(runStudio))
}

async function runStudio({ reporter, signal }: Context, runs: string[], flags: StudioFlags): Promise<void> {
  const { port, host, save, open } = flags
  if (host === '')
    throw new InputError({ what: 'the host is empty', where: '--host', remedy: 'leave the option out' })
  const { startStudio } = await import('../../server/server.ts')
  const studio = await startStudio({
    runs,
    ...(port !== undefined && { port }),
    ...(host !== undefined && { host }),
    ...(save !== undefined && { save }),
    onError: (text) => reporter.note(`pantin: this is a bug in pantin, please report it\n${text}`),
  })
  try {
    const { address, token } = studio
    reporter.result({ address, port: studio.port, token }, () => `pantin studio: ${address}`)
    if (host !== undefined) await warnOfHost(host, reporter.note.bind(reporter))
    if (open) {
      const remark = await openBrowser(studio.ticketAddress())
      if (remark !== undefined) reporter.note(remark)
    }
    await aborted(signal)
  } finally {
    await studio.close()
  }
}

async function warnOfHost(host: string, note: (text: string) => void): Promise<void> {
  const { isLoopback } = await import('../../server/guard.ts')
  if (isLoopback(host)) return
  note(
    `pantin: warning: other machines reach ${host}. Anyone who has the token can read your runs, and the connection is not encrypted. Without HTTPS, browsers on other machines allow no webcam, threads or storage.`,
  )
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/**
 * Opens an address in the default browser.
 *
 * @returns a note for the user if that failed; undefined if it worked, or if there is no screen
 */
async function openBrowser(address: string): Promise<string | undefined> {
  const { DISPLAY, WAYLAND_DISPLAY, WSL_DISTRO_NAME } = process.env
  const hasScreen = process.platform !== 'linux' || DISPLAY || WAYLAND_DISPLAY || WSL_DISTRO_NAME
  if (!hasScreen) return undefined
  try {
    const { default: open } = await import('open')
    const child = await open(address)
    // If the program is missing, an event says so later. Without a listener, it would end this process.
    child.on('error', () => {})
    return undefined
  } catch (error) {
    return `pantin: no browser could be opened (${messageOf(error)}); open the address above`
  }
}

interface WebAssetsFlags {
  readonly webgpu?: true
  readonly force?: true
}

/** `pantin web-assets FOLDER`. */
export const addWebAssets: AddCommand = (program, call) => {
  const command = program
    .command('web-assets')
    .summary('copy the files that pages with pantin/web load')
    .description(
      "Copies what pantin/web loads by address into a folder that a page is served from: the worker (worker.js), ONNX Runtime's files (ort/), and pantin's assets (assets/): starters, heads, and the networks that find faces.",
    )
    .argument('<folder>', 'folder to copy to, such as public')
    .option('--webgpu', 'also copy what WebGPU needs, 27 MB')
    .option('--force', 'replace files that are there')
  withCommonFlags(command).action(call(runWebAssets))
}

/** Copies the files, those of ONNX Runtime for the CPU first. */
async function runWebAssets({ reporter, signal }: Context, to: string, flags: WebAssetsFlags): Promise<void> {
  const { assetFiles, assetsFolder, runtimeFiles, runtimeFolder } = await import('../../server/send-file.ts')
  const worker = fileURLToPath(new URL('../../web/worker.js', import.meta.url))
  const wanted = runtimeFiles.filter((name) => flags.webgpu || !/webgpu|asyncify/.test(name))
  const files = [
    [worker, 'worker.js'],
    ...wanted.map((name) => [join(runtimeFolder(), name), `ort/${name}`]),
    ...assetFiles.map((name) => [join(assetsFolder, name), `assets/${name}`]),
  ] as [string, string][]
  const folder = resolve(to)
  if (!flags.force) await assertNone(folder, files)
  let bytes = 0
  for (const [from, name] of files) {
    signal.throwIfAborted()
    try {
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await copyFile(from, join(folder, name))
      bytes += (await stat(from)).size
    } catch (error) {
      throw new EnvironmentError(
        {
          what: 'a file cannot be copied',
          where: from,
          got: messageOf(error),
          expected: `a copy at ${name}`,
        },
        { cause: error },
      )
    }
  }
  const names = files.map(([, name]) => name)
  reporter.result({ folder, files: names, bytes }, () =>
    [
      `copied ${names.length} files, ${(bytes / 1e6).toFixed(1)} MB, to ${folder}`,
      "in the page: { runtimeFolder: 'ort', workerUrl: 'worker.js', assetsFolder: 'assets' }",
    ].join('\n'),
  )
}

/** @throws InputError if a file would be replaced. */
async function assertNone(folder: string, files: readonly [string, string][]): Promise<void> {
  const there = new Set(await readdir(folder, { recursive: true }).catch(() => []))
  const found = files.find(([, name]) => there.has(join(name)))
  if (found === undefined) return
  throw new InputError({
    what: 'the folder has such a file already',
    where: join(folder, found[1]),
    remedy: 'replace the files with --force, or choose another folder',
  })
}
