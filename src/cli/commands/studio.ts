// `pantin studio [RUN...]`: serves the studio until Ctrl-C.
import { InputError, messageOf } from '../../util/errors.ts'
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
    .argument('[run...]', 'run folders to show, or folders with run folders in them')
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
