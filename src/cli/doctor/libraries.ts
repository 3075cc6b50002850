import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { messageOf } from '../../util/errors.ts'
import type { Finding } from './finding.ts'

/** The native libraries: what computes, what reads pictures, what reads and writes video. */

/** ONNX Runtime, and each device it may compute on. */
export async function examineRuntime(): Promise<Finding[]> {
  try {
    const { env } = await import('onnxruntime-node')
    const { describeDevices } = await import('../../runtime/node.ts')
    const devices = await describeDevices()
    return [
      { name: 'onnxruntime', status: 'ok', found: env.versions.node ?? env.versions.common },
      ...devices.map(({ device, available, detail }): Finding => {
        if (available) return { name: device, status: 'ok', found: 'works' }
        return {
          name: device,
          status: 'warn',
          found: `not there: ${plain(detail)}`,
          remedy: 'the CPU is used instead',
        }
      }),
    ]
  } catch (error) {
    const remedy = `reinstall with npm install; it needs a system that ONNX Runtime is built for`
    return [{ name: 'onnxruntime', status: 'fail', found: firstLine(error), remedy }]
  }
}

/** ONNX Runtime's words without the C++ assertion before them. */
const plain = (detail: string) => detail.replace(/^.*\bwas false\. /, '')

/** sharp, for pictures. */
export async function examinePictures(): Promise<Finding[]> {
  try {
    const { default: sharp } = await import('sharp')
    return [
      {
        name: 'pictures',
        status: 'ok',
        found: `sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}`,
      },
    ]
  } catch (error) {
    const remedy = 'npm install --include=optional sharp'
    return [{ name: 'pictures', status: 'fail', found: firstLine(error), remedy }]
  }
}

/** Containers with the codec that they get by default. */
const endings = { 'H.264': 'mp4', VP9: 'webm' } as const

/** Writes a short video of each kind and reads it again. */
export async function examineVideo(): Promise<Finding[]> {
  const folder = await mkdtemp(join(tmpdir(), 'pantin-doctor-'))
  try {
    const findings: Finding[] = []
    for (const [codec, ending] of Object.entries(endings))
      findings.push(await tryCodec(folder, codec, ending))
    return findings
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function tryCodec(folder: string, codec: string, ending: string): Promise<Finding> {
  const name = `video ${codec}`
  try {
    const { blankFrame } = await import('../../media/frame.ts')
    const { createVideoWriter } = await import('../../media/video-out.ts')
    const { openClip } = await import('../../clips/source.ts')
    const path = join(folder, `try.${ending}`)
    const writer = await createVideoWriter(path, { width: 64, height: 64, frameRate: 25 })
    for (let i = 0; i < 5; i++) await writer.write(blankFrame(64, 64, [40 * i, 120, 200]))
    await writer.close()
    const clip = await openClip(path)
    let frames = 0
    for await (const _ of clip.frames()) frames++
    await clip.close()
    if (frames === 5) return { name, status: 'ok', found: `writes and reads ${ending}` }
    return { name, status: 'warn', found: `read ${frames} of 5 frames`, remedy: 'convert to another format' }
  } catch (error) {
    const remedy = 'npm install @napi-rs/webcodecs@1.3.1 (pictures and puppet: clips work without it)'
    return { name, status: 'warn', found: firstLine(error), remedy }
  }
}

const firstLine = (error: unknown) => messageOf(error).split('\n')[0]!
