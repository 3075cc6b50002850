// `pantin studio` and other commands as processes of their own, made from the sources as they are now.
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compile } from '../support/compile.ts'

/** A process of the command line. */
export interface Running {
  readonly child: ChildProcess
  /** What it has written so far. */
  readonly said: { stdout: string; stderr: string }
  /** The exit code. */
  readonly ended: Promise<number | null>
  /** The first line on stdout. */
  readonly line: Promise<string>
}

/** The command line, compiled. */
export interface Commands {
  /** The folder of the compiled modules. */
  readonly folder: string
  /** Starts `pantin`. Without a screen no browser is opened, asked for or not. @param env default: this process's */
  start(args: readonly string[], env?: NodeJS.ProcessEnv): Running
  /** Ends what was started. */
  stop(): void
  remove(): void
}

/** @param site folder of built pages (default: one page that is nearly empty) */
export function compileCommands(site?: string): Commands {
  const compiled = compile('src/cli/main.ts')
  const main = fileURLToPath(compiled.url('src/cli/main.ts'))
  // Where the built pages are, from the server's own file.
  const pages = join(compiled.folder, 'src', 'studio')
  if (site === undefined) {
    mkdirSync(pages)
    writeFileSync(join(pages, 'index.html'), '<!doctype html><title>studio</title>')
  } else cpSync(site, pages, { recursive: true })
  const children: ChildProcess[] = []
  const stop = () => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
  }
  return {
    folder: compiled.folder,
    start(args, env = withoutScreen()) {
      const running = run([main, ...args], env)
      children.push(running.child)
      return running
    },
    stop,
    remove() {
      stop()
      compiled.remove()
    },
  }
}

function withoutScreen(): NodeJS.ProcessEnv {
  const { DISPLAY: _, WAYLAND_DISPLAY: __, ...env } = process.env
  return env
}

function run(args: readonly string[], env: NodeJS.ProcessEnv): Running {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env })
  const said = { stdout: '', stderr: '' }
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  child.stderr.on('data', (data: Buffer) => {
    said.stderr += data
  })
  const line = new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (data: Buffer) => {
      said.stdout += data
      if (said.stdout.includes('\n')) resolve(said.stdout.slice(0, said.stdout.indexOf('\n')))
    })
    void ended.then((code) => reject(new Error(`ended with ${code}: ${said.stderr}`)))
  })
  line.catch(() => {})
  return { child, said, ended, line }
}

/** The address in a line that `pantin studio` printed. */
export const addressIn = (line: string): URL => new URL(/http:\S+/.exec(line)![0])

/** The token in that address. */
export const tokenOf = ({ hash }: URL): string => /token=([\w-]+)/.exec(hash)![1]!
