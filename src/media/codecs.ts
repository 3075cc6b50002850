/** Video codecs for Node: browsers have WebCodecs, Node gets it from @napi-rs/webcodecs (FFmpeg). */
import { EnvironmentError, messageOf } from '../util/errors.ts'

/** What mediabunny looks for on the global object. */
const names = ['VideoEncoder', 'VideoDecoder', 'VideoFrame', 'EncodedVideoChunk', 'VideoColorSpace'] as const

let loading: Promise<typeof import('mediabunny')> | undefined

/**
 * mediabunny, with WebCodecs installed under it. Loaded at first use: pictures and puppets need neither.
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
  // Its warnings would mix with progress lines; what matters reaches the user as an error.
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
