import type { Clip } from './clip.ts'
import { loadCodecs } from './codecs.ts'
import { assertFile } from './files.ts'
import { frameClosed } from './native-memory.ts'
import { readVideo } from './video-clip.ts'

/**
 * Opens a video file for streaming; see `readVideo`.
 *
 * @throws InputError if the file is missing or empty, or as `readVideo`; EnvironmentError if no codecs are
 * installed.
 */
export async function openVideo(path: string): Promise<Clip> {
  await assertFile(path)
  const mediabunny = await loadCodecs()
  return readVideo(new mediabunny.FilePathSource(path), path, { mediabunny, frameClosed })
}
