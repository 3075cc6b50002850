import { InputError } from '../../util/errors.ts'
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
      'Serves the studio: a page that trains, compares and animates on this machine, in the browser, and shows runs while they train. Ctrl-C ends it.',
    )
    .argument('[run...]', 'runs to show, or folders with runs in them')
    .option(
      '--port <n>',
      'port to serve on; 0 takes a free one, but browsers keep what they store by port (default: 7268)',
      wholeNumber('--port', { max: 65535 }),
    )
    .option('--host <name>', 'address to serve on (default: 127.0.0.1, which only this machine reaches)')
    .option('--save <folder>', 'let the page put runs that it trained into this folder')
    .option('--no-open', 'open no browser')
  withCommonFlags(command).action(call(runStudio))
}

async function runStudio({ reporter, signal }: Context, runs: string[], flags: StudioFlags): Promise<void> {
  const { port, host, save, open } = flags
  if (host === '') throw new InputError({ what: 'no host is named', where: '--host', remedy: 'leave it out' })
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
      const { openBrowser } = await import('../open-browser.ts')
      const remark = await openBrowser(studio.ticketAddress())
      if (remark !== undefined) reporter.note(remark)
    }
    await aborted(signal)
  } finally {
    await studio.close()
  }
}

async function warnOfHost(host: string, note: (text: string) => void): Promise<void> {
  const { isLoopback } = await import('../../server/hosts.ts')
  if (isLoopback(host)) return
  note(
    `pantin: warning: other machines reach ${host}. Whoever has the token reads your runs, and nothing is encrypted on the way. Browsers there allow no webcam, threads or storage without HTTPS.`,
  )
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
