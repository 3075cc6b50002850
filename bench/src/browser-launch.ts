// A Chromium without a window: finding an installed one, starting it with an empty profile, ending it.
import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { EnvironmentError } from '../../src/util/errors.ts'

/** A browser without a window, in its own process. */
export interface Browser {
  /** Resolves when the process has ended, to the last text that it wrote. */
  readonly gone: Promise<string>
  close(): Promise<void>
}

/** Environment variables that name a browser's program. The first one that is set counts. */
const variables = ['PANTIN_CHROMIUM', 'CHROME_PATH', 'CHROME_BIN']
const names = [
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
  'chrome',
  'microsoft-edge',
]
const places = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
  'C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe',
  'C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe',
]

/**
 * Path of an installed Chromium, or of a browser that is built on it.
 *
 * @throws EnvironmentError if there is none, or if a variable names a program that does not exist.
 */
export function findChromium(environment: NodeJS.ProcessEnv = process.env): string {
  const variable = variables.find((name) => environment[name])
  if (variable !== undefined) {
    const path = environment[variable]!
    if (isProgram(path)) return path
    throw new EnvironmentError({
      what: `${variable} names no program`,
      got: path,
      remedy: `correct or unset ${variable}`,
    })
  }
  const folders = (environment.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  const found = [...folders.flatMap((folder) => names.map((name) => join(folder, name))), ...places].find(
    isProgram,
  )
  if (found !== undefined) return found
  throw new EnvironmentError({
    what: 'no Chromium is installed, and the browser bench runs in one',
    expected: `one of ${names.join(', ')} on the PATH`,
    remedy: 'install one (Debian: apt install chromium), or set PANTIN_CHROMIUM to its path',
  })
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

export interface LaunchOptions {
  /** Program (default: `findChromium`). */
  readonly chromium?: string
  /** WebGPU adapter: none, the machine's (default), or Chromium's own one that computes on the CPU. */
  readonly gpu?: 'none' | 'hardware' | 'software'
}

const flags = {
  always: [
    '--headless=new',
    // The pipe carries no commands. The browser ends when the pipe closes, so whatever kills this process ends it too.
    '--remote-debugging-pipe',
    '--no-first-run',
    '--no-default-browser-check',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-extensions',
    '--disable-quic',
    '--disable-sync',
    // Chromium treats a page without a window as a background page.
    '--disable-background-timer-throttling',
    '--disable-backgrounding-occluded-windows',
    '--disable-renderer-backgrounding',
  ],
  gpu: {
    none: ['--disable-gpu'],
    hardware: ['--enable-unsafe-webgpu'],
    software: ['--enable-unsafe-webgpu', '--enable-features=Vulkan', '--use-webgpu-adapter=swiftshader'],
  },
}

/** Opens a page in a browser with an empty profile. @throws EnvironmentError as `findChromium`. */
export async function launchBrowser(address: string, options: LaunchOptions = {}): Promise<Browser> {
  const { chromium = findChromium(), gpu = 'hardware' } = options
  const profile = await mkdtemp(join(tmpdir(), 'pantin-browser-'))
  // Chromium's sandbox does not work for root, and Chromium refuses to start without one unless told so.
  const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  const child = spawn(
    chromium,
    [...flags.always, ...flags.gpu[gpu], ...asRoot, `--user-data-dir=${profile}`, address],
    { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] },
  )
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-2000)
  })
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => resolve(`ended with ${signal ?? code}: ${stderr.trim()}`))
  })
  return {
    gone: ended,
    async close() {
      await end(child, ended)
      // Chromium's child processes may still write for a moment.
      await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
    },
  }
}

async function end(child: ChildProcess, ended: Promise<string>): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000)
  await ended
  clearTimeout(timer)
}
