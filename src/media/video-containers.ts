// The containers that videos are written in, by file ending, and the codecs that each holds.
import { extname } from 'node:path'
import type { OutputFormat, VideoCodec } from 'mediabunny'
import { InputError } from '../util/errors.ts'
import { loadCodecs } from './codecs.ts'

type Mediabunny = typeof import('mediabunny')

/** The container of each file ending, and its codecs, the default first. */
const containers = {
  '.mp4': { codecs: ['avc', 'hevc', 'vp9', 'av1'], format: (m: Mediabunny) => new m.Mp4OutputFormat() },
  '.mov': { codecs: ['avc', 'hevc'], format: (m: Mediabunny) => new m.MovOutputFormat() },
  '.webm': { codecs: ['vp9', 'vp8', 'av1'], format: (m: Mediabunny) => new m.WebMOutputFormat() },
  '.mkv': {
    codecs: ['avc', 'hevc', 'vp9', 'vp8', 'av1'],
    format: (m: Mediabunny) => new m.MkvOutputFormat(),
  },
} satisfies Record<string, { codecs: VideoCodec[]; format: (m: Mediabunny) => OutputFormat }>

/** Codecs that videos are written in. */
export type WriterCodec = 'avc' | 'hevc' | 'vp9' | 'av1' | 'vp8'

/** The format that a file of this ending is written in. @throws InputError for an ending that is not written */
export async function outputFormat(path: string): Promise<OutputFormat> {
  return chooseCodec(path, undefined).container.format(await loadCodecs())
}

/**
 * The container of a file, and the codec of its video.
 *
 * @param wanted default: the first of the container
 * @throws InputError for an ending that is not written, or a codec that the container does not hold
 */
export function chooseCodec(path: string, wanted: WriterCodec | undefined) {
  const ending = extname(path).toLowerCase()
  const container = Object.entries(containers).find(([name]) => name === ending)?.[1]
  if (container === undefined) {
    throw new InputError({
      what: 'the file ending does not say which kind of video to write',
      where: path,
      got: ending === '' ? 'no ending' : ending,
      expected: Object.keys(containers).join(', '),
    })
  }
  const codecs: readonly WriterCodec[] = container.codecs
  const codec = wanted ?? codecs[0]!
  if (!codecs.includes(codec)) {
    throw new InputError({
      what: `a ${ending} file cannot hold this codec`,
      where: path,
      got: codec,
      expected: codecs.join(', '),
    })
  }
  return { container, codec }
}
