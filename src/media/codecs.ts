// Video in Node: WebCodecs from the optional package @napi-rs/webcodecs (FFmpeg), the memory of its frames, and
// opening a file with it. Browsers have WebCodecs of their own.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { assertFile } from '../files/read.ts'
import { EnvironmentError, InputError, messageOf } from '../util/errors.ts'
import type { Clip } from './clip.ts'
import { mended } from './container.ts'
import { readXmp, sourceTypeIn, sourceTypeInTags } from './mark.ts'
import { plainStream } from './stream-format.ts'
import { openFile, watchParsing } from './video-file.ts'
import { openInput, readVideo } from './video-in.ts'

/**
 * Opens a video file as a clip, which is read as a stream; see `readVideo`.
 *
 * @throws InputError if the file is missing, empty or not a video; EnvironmentError if no codecs are installed. The
 * signal's reason, if it is aborted.
 */
export async function openVideo(
  path: string,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Clip> {
  await assertFile(path, 'a video file', { allowEmpty: false })
  const mediabunny = await loadCodecs()
  const { signal } = options
  return readVideo(openFile(path), path, {
    ...{ mediabunny, frameClosed, signal },
    decoderClosed: () => frameClosed(decoderBytes),
    prepare: plainStream,
    watch: (bytes: number) => watchParsing(path, bytes, signal),
  })
}

/**
 * What the container of a video says, beside its frames. Sound and tags whose header is damaged are left out.
 *
 * @throws InputError if the file cannot be opened, or its header cannot be read; EnvironmentError as `openVideo`.
 */
export async function videoFacts(path: string) {
  const mediabunny = await loadCodecs()
  const { file } = await mended(openFile(path))
  using input = await openInput(mediabunny, file)
  const { xmp, credentials } = await readXmp(file)
  // The library reads a header when it is first asked for it, and throws errors of any kind.
  const heard = await input
    .getPrimaryAudioTrack()
    .then((track) => track?.getDecoderConfig())
    .catch(() => undefined)
  const tags = await input.getMetadataTags().catch(() => ({}))
  try {
    const video = await input.getPrimaryVideoTrack()
    return {
      kind: (await input.getFormat()).name,
      codec: (await video?.getDecoderConfig())?.codec,
      sound: heard
        ? { codec: heard.codec, sampleRate: heard.sampleRate, channels: heard.numberOfChannels }
        : undefined,
      mark: sourceTypeIn(xmp ?? '') ?? sourceTypeInTags(tags),
      credentials,
    }
  } catch (error) {
    throw new InputError(
      {
        ...{ what: 'the header of the video cannot be read', where: path, got: messageOf(error) },
        remedy: 'copy or record the video again, or use another one',
      },
      { cause: error },
    )
  }
}

/** The names that mediabunny looks up on the global object. */
const names = ['VideoEncoder', 'VideoDecoder', 'VideoFrame', 'EncodedVideoChunk', 'VideoColorSpace'] as const

let loading: Promise<typeof import('mediabunny')> | undefined

/**
 * mediabunny, with WebCodecs installed for it. Loaded at the first use: pictures and puppets need neither.
 *
 * @throws EnvironmentError if this machine has no video codecs.
 */
export function loadCodecs(): Promise<typeof import('mediabunny')> {
  loading ??= load().catch((error: unknown) => {
    loading = undefined
    throw error
  })
  return loading
}

async function load(): Promise<typeof import('mediabunny')> {
  if (names.some((name) => !(name in globalThis))) install(await importWebCodecs())
  const mediabunny = await import('mediabunny')
  // Its warnings would mix with progress lines. What matters reaches the user as an error.
  mediabunny.Logging.level = mediabunny.LogLevel.Silent
  return mediabunny
}

async function importWebCodecs(): Promise<object> {
  try {
    return await import('@napi-rs/webcodecs')
  } catch (error) {
    throw new EnvironmentError(
      {
        what: 'video cannot be read or written: the video codecs are not installed',
        got: messageOf(error).split('\n')[0]!,
        expected: `the optional package @napi-rs/webcodecs, for ${process.platform} ${process.arch}`,
        remedy: 'npm install @napi-rs/webcodecs@1.3.1 (pictures and puppet: clips work without it)',
      },
      { cause: error },
    )
  }
}

function install(webCodecs: object): void {
  for (const name of names) {
    if (!(name in globalThis)) Reflect.set(globalThis, name, Reflect.get(webCodecs, name))
  }
}

/** Bytes of native memory that may wait for the garbage collector before it is called. */
const allowance = 24 << 20

/** Bytes that a decoded frame takes besides its pixels, roughly: measured on an hour of 64x64. */
const overhead = 16 << 10

/** Bytes that a closed decoder takes, roughly: measured on H.264. */
const decoderBytes = 8 << 20

let waiting = 0
let collect: (() => void) | undefined

/**
 * Counts closed video frames that wait to be freed, and calls the garbage collector when they are many. The codec
 * library frees the memory of a frame when its JavaScript object is collected, not when it is closed, and V8 does
 * not know how large the frame is: otherwise a clip of 1,000 frames would grow the process by hundreds of megabytes.
 *
 * @param bytes of the pixels of each frame.
 */
export function frameClosed(bytes: number, frames = 1): void {
  waiting += frames * (bytes + overhead)
  if (waiting < allowance) return
  waiting = 0
  collect ??= collector()
  collect()
}

/** V8's garbage collector, which a script can call only with this flag. */
function collector(): () => void {
  setFlagsFromString('--expose_gc')
  return runInNewContext('gc') as () => void
}
