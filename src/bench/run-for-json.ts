import { spawn } from 'node:child_process'
import { lastLine } from '../util/child-process.ts'
import { EnvironmentError } from '../util/errors.ts'

/**
 * What a program prints, read as JSON.
 *
 * @throws EnvironmentError with the program's last words where it fails. The signal's reason, where that ends it.
 */
export async function runForJson<T>(
  command: string,
  words: readonly string[],
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted()
  const { stdout, problem } = await run(command, words, signal)
  signal?.throwIfAborted()
  if (problem === undefined) return JSON.parse(stdout) as T
  throw new EnvironmentError({
    what: 'a process that the bench started failed',
    where: command,
    got: problem,
  })
}

function run(
  command: string,
  words: readonly string[],
  signal: AbortSignal | undefined,
): Promise<{ readonly stdout: string; readonly problem: string | undefined }> {
  return new Promise((resolve) => {
    const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'] })
    const stop = () => child.kill('SIGKILL')
    signal?.addEventListener('abort', stop, { once: true })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-2000)
    })
    const end = (problem: string | undefined) => {
      signal?.removeEventListener('abort', stop)
      resolve({ stdout, problem })
    }
    child.once('error', (error) => end(error.message))
    child.once('close', (code, by) =>
      end(code === 0 ? undefined : `ended with ${by ?? code}${lastLine(stderr)}`),
    )
  })
}
