// A video file in Node: its bytes, and a first reading of its container in a thread that can be ended. A few hostile bytes
// make the container library loop for ever, or fill the memory, and nothing in the same thread could stop it.
import { closeSync, fstatSync, openSync, read, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { fileError } from '../files/file-errors.ts'
import { FormatError, InputError } from '../util/errors.ts'
import type { ByteSource } from './container.ts'

const readAt = promisify(read)

/** Closes files that nobody closed. */
const forgotten = new FinalizationRegistry<() => void>((close) => close())

/**
 * Opens a file to be read by places.
 *
 * @throws InputError if it cannot be opened.
 */
export function openFile(path: string): ByteSource {
  let descriptor: number
  try {
    descriptor = openSync(path, 'r')
  } catch (error) {
    throw fileError(error, path, 'read')
  }
  let open = true
  let reading = 0
  // A descriptor that is read from stays open, as its number could become another file's.
  const release = () => {
    if (!open && reading === 0) closeSync(descriptor)
  }
  const close = () => {
    if (!open) return
    open = false
    release()
  }
  const file: ByteSource = {
    size: fstatSync(descriptor).size,
    async read(start, end) {
      if (!open) throw new InputError({ what: 'the file is closed', where: path })
      const bytes = new Uint8Array(end - start)
      reading++
      try {
        for (let done = 0; done < bytes.length; ) {
          const { bytesRead } = await readAt(descriptor, bytes, done, bytes.length - done, start + done)
          // The file became shorter while it is read.
          if (bytesRead === 0) break
          done += bytesRead
        }
      } finally {
        reading--
        release()
      }
      return bytes
    },
    close: async () => close(),
  }
  forgotten.register(file, close)
  return file
}

/** Seconds of computing without progress after which a file is given up, and bytes of the file that give one more. */
const leastPatience = 1.2
const bytesPerSecond = 20e6

/** Megabytes that the thread may use, besides as many as the file has: an index is not larger than its file. */
const leastMemory = 160
const mostMemory = 4096

/**
 * The thread's program. It is text, because a thread cannot load TypeScript, and tests run the sources. It takes the steps
 * that `readVideo` takes after it. An error is no matter here: `readVideo` meets and explains it.
 */
const program = `
const { parentPort, workerData } = require('node:worker_threads')
async function walk() {
  const m = await import(workerData.library)
  m.Logging.level = m.LogLevel.Silent
  parentPort.postMessage({})
  const source = new m.FilePathSource(workerData.path)
  const formats = m.ALL_FORMATS.filter((format) => format !== m.HLS)
  const input = new m.Input({ source, formats })
  if (!(await input.canRead())) return
  const tracks = await input.getTracks()
  const track = await input.getPrimaryVideoTrack()
  await input.getDurationFromMetadata()
  for (const one of tracks) await one.getDecoderConfig()
  if (track === null) return
  await track.getDisplayWidth()
  let count = 0
  for await (const _ of new m.EncodedPacketSink(track).packets(undefined, undefined, { metadataOnly: true })) {
    if (++count > workerData.most) return
    if (count % 1000 === 0) parentPort.postMessage({})
  }
  await track.computeFrameRateMetrics()
}
walk().catch(() => {}).then(() => parentPort.postMessage({ done: true }))
`

/**
 * Reads the container of a file to its end, without decoding.
 *
 * @throws FormatError if that takes too long or too much memory. The signal's reason, if it is aborted.
 */
export async function watchParsing(path: string, bytes: number, signal?: AbortSignal): Promise<void> {
  const megabytes = Math.min(mostMemory, leastMemory + Math.ceil(bytes / 2 ** 20))
  const patience = leastPatience + bytes / bytesPerSecond
  const data = { path, library: import.meta.resolve('mediabunny'), most: bytes }
  await inThread(program, data, { patience, megabytes, signal, hostile: (got) => hostile(path, got) })
}

/** Tells the thread's place in /proc, where there is one. It comes before a thread's own program. */
const tellsThread = `
{
  let thread
  try {
    thread = require('node:fs').readlinkSync('/proc/thread-self')
  } catch {}
  if (thread !== undefined) require('node:worker_threads').parentPort.postMessage({ thread })
}
`

/** Clock ticks of /proc in a second: the same on all processors that Node runs on. */
const ticksPerSecond = 100

/** Seconds that a thread has computed. Waiting for the disk or for a core does not count. NaN if it has ended. */
function secondsOf(thread: string): number {
  try {
    const text = readFileSync(`/proc/${thread}/stat`, 'utf8')
    // After the name, which may have spaces: the state is the third field, user and system time are the 14th and 15th.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
  } catch {
    return Number.NaN
  }
}

/** At most the seconds that a thread has computed: other threads may have, meanwhile. */
function secondsAtMost(worker: Worker): number {
  const { user } = process.cpuUsage()
  return Math.min(user / 1e6, worker.performance.eventLoopUtilization().active / 1e3)
}

/** The limits of a thread. */
interface ThreadLimits {
  /** Seconds of computing without a message. */
  readonly patience: number
  /** Megabytes of its heap. */
  readonly megabytes: number
  readonly signal?: AbortSignal | undefined
  /** The error of a thread that passes a limit. @param got which one */
  hostile(got: string): Error
}

/**
 * Runs a program in a thread of its own, until it posts a message with `done`, or ends. Other messages say that it goes on.
 *
 * @param program CommonJS, which gets the data as `workerData`.
 * @returns the value of `done`; undefined if it ends without.
 * @throws what `hostile` gives, if it passes a limit. The signal's reason, if it is aborted.
 */
export async function inThread(program: string, workerData: object, limits: ThreadLimits): Promise<unknown> {
  const { patience, megabytes, signal } = limits
  signal?.throwIfAborted()
  const worker = new Worker(tellsThread + program, {
    ...{ eval: true, workerData },
    resourceLimits: { maxOldGenerationSizeMb: megabytes },
    // What libraries print is told by errors.
    stdout: true,
    stderr: true,
  })
  let timer: NodeJS.Timeout | undefined
  let stop = () => {}
  try {
    return await new Promise<unknown>((resolve, reject) => {
      stop = () => reject(signal?.reason)
      signal?.addEventListener('abort', stop, { once: true })
      let spent = Number.POSITIVE_INFINITY
      let thread: string | undefined
      const computed = () => (thread === undefined ? secondsAtMost(worker) : secondsOf(thread))
      timer = setInterval(() => {
        if (computed() - spent > patience)
          reject(limits.hostile(`no progress within ${patience.toFixed(1)} s`))
      }, 100)
      worker.on('message', (message: { readonly done?: unknown; readonly thread?: string }) => {
        if (message.thread !== undefined) {
          if (Number.isFinite(secondsOf(message.thread))) thread = message.thread
          return
        }
        spent = computed()
        if ('done' in message) resolve(message.done)
      })
      worker.on('error', () => reject(limits.hostile(`more than ${megabytes} MB are needed`)))
      worker.on('exit', () => resolve(undefined))
    })
  } finally {
    signal?.removeEventListener('abort', stop)
    clearInterval(timer)
    await worker.terminate()
  }
}

function hostile(path: string, got: string): FormatError {
  return new FormatError({
    what: 'the file is damaged, or made to hold the program up: its index cannot be read',
    where: path,
    got,
    remedy: 'copy or record the video again, or use another one',
  })
}
