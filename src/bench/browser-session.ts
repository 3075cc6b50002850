import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { EnvironmentError } from '../util/errors.ts'
import { type LaunchOptions, launchBrowser } from './browser-launch.ts'
import { BrowserServer } from './browser-server.ts'

export interface BrowserOptions extends LaunchOptions {
  /** Path of the packed worker (default: the one that the build puts beside this file). */
  readonly worker?: string
}

/**
 * Does something with a worker in a browser, and closes both afterwards.
 *
 * @throws EnvironmentError where there is no browser, or it ends before the work does.
 */
export async function withBrowser<T>(
  options: BrowserOptions,
  work: (server: BrowserServer) => Promise<T>,
): Promise<T> {
  const { worker = fileURLToPath(new URL('browser-worker.js', import.meta.url)) } = options
  if (!existsSync(worker)) {
    throw new EnvironmentError({
      what: 'the packed worker is not there',
      got: worker,
      remedy: 'npm run build',
    })
  }
  const server = await BrowserServer.start(worker)
  try {
    const browser = await launchBrowser(server.address, options)
    void browser.gone.then((said) =>
      server.fail(new EnvironmentError({ what: 'the browser ended before the work did', got: said })),
    )
    try {
      return await work(server)
    } finally {
      await browser.close()
    }
  } finally {
    await server.close()
  }
}
