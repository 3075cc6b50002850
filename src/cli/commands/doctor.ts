// `pantin doctor`: checks what pantin needs of this machine: Node, memory, disk, ONNX Runtime, pictures and video.
import { mkdtemp, rm, statfs } from 'node:fs/promises'
import { freemem, tmpdir } from 'node:os'
import { join } from 'node:path'
import { messageOf } from '../../util/errors.ts'
import { type AddCommand, type Context, withCommonFlags } from '../context.ts'
import { missingPart } from '../process.ts'

export const addDoctor: AddCommand = (program, call) => {
  const command = program
    .command('doctor')
    .summary('check what works on this machine')
    .description(
      'Checks what pantin needs of this machine. If something is missing, the report says what to do.',
    )
  withCommonFlags(command).action(call(runDoctor))
}

const marks = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' } as const

async function runDoctor({ reporter }: Context): Promise<void> {
  const findings = await examine()
  const ok = findings.every(({ status }) => status !== 'fail')
  if (!ok) process.exitCode = 1
  reporter.result({ ok, checks: findings }, () =>
    findings
      .flatMap(({ status, name, found, remedy }) => [
        `${marks[status]}  ${name.padEnd(12)}  ${found}`,
        ...(remedy === undefined ? [] : [`${' '.repeat(20)}${remedy}`]),
      ])
      .join('\n'),
  )
}

/** The result of one check. */
interface Finding {
  readonly name: string
  /** `warn`: one feature does not work, and the rest does. `fail`: pantin cannot work. */
  readonly status: 'ok' | 'warn' | 'fail'
  readonly found: string
  /** What to do, if the status is not `ok`. */
  readonly remedy?: string
}

/** Does all checks, one after the other. */
async function examine(): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const check of [examineMachine, examineRuntime, examinePictures, examineVideo])
    findings.push(...(await check()))
  return findings
}

const leastNode = [20, 19] as const
const gigabyte = 1e9

/** Node, the processor, memory and the disk. */
async function examineMachine(): Promise<Finding[]> {
  const { describeMachine } = await import('../../run/config-file.ts')
  const { cpu, cores, memoryBytes, platform, arch, node } = describeMachine()
  const free = freemem()
  return [
    nodeFinding(node),
    { name: 'machine', status: 'ok', found: `${platform} ${arch}, ${cores} cores, ${cpu}` },
    free < gigabyte
      ? {
          name: 'memory',
          status: 'warn',
          found: memory(free, memoryBytes),
          remedy: 'close other programs, or use a smaller --batch',
        }
      : { name: 'memory', status: 'ok', found: memory(free, memoryBytes) },
    await diskFinding(),
  ]
}

function nodeFinding(version: string): Finding {
  const [major, minor] = version.split('.').map(Number) as [number, number]
  const enough = major > leastNode[0] || (major === leastNode[0] && minor >= leastNode[1])
  if (enough) return { name: 'node', status: 'ok', found: version }
  return {
    name: 'node',
    status: 'fail',
    found: version,
    remedy: `install Node ${leastNode.join('.')} or later`,
  }
}

const memory = (free: number, all: number) =>
  `${(free / gigabyte).toFixed(1)} GB free of ${(all / gigabyte).toFixed(1)} GB`

async function diskFinding(): Promise<Finding> {
  try {
    const { bavail, bsize } = await statfs('.')
    const free = bavail * bsize
    const found = `${(free / gigabyte).toFixed(1)} GB free in this folder`
    if (free >= gigabyte) return { name: 'disk', status: 'ok', found }
    return {
      name: 'disk',
      status: 'warn',
      found,
      remedy: 'a run takes about 50 MB, and while it trains, its frames take about as much again',
    }
  } catch (error) {
    return { name: 'disk', status: 'warn', found: `unknown: ${messageOf(error)}` }
  }
}

/** ONNX Runtime, and each device that it can compute on. */
async function examineRuntime(): Promise<Finding[]> {
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
          found: `not available: ${plain(detail)}`,
          remedy: 'the CPU is used instead',
        }
      }),
    ]
  } catch (error) {
    const remedy = missingPart(error)?.problem.remedy ?? 'remove node_modules, and run npm install'
    return [{ name: 'onnxruntime', status: 'fail', found: firstLine(error), remedy }]
  }
}

/** ONNX Runtime's message without the C++ assertion before it. */
const plain = (detail: string) => detail.replace(/^.*\bwas false\. /, '')

/** sharp, for pictures. */
async function examinePictures(): Promise<Finding[]> {
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
    const remedy = missingPart(error)?.problem.remedy ?? 'npm install --include=optional sharp'
    return [{ name: 'pictures', status: 'fail', found: firstLine(error), remedy }]
  }
}

/** The default codec of each container. */
const endings = { 'H.264': 'mp4', VP9: 'webm' } as const

/** Writes a short video with each codec, and reads it back. */
async function examineVideo(): Promise<Finding[]> {
  const folder = await mkdtemp(join(tmpdir(), 'pantin-doctor-'))
  try {
    const findings: Finding[] = []
    for (const [codec, ending] of Object.entries(endings))
      findings.push(await checkCodec(folder, codec, ending))
    return findings
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function checkCodec(folder: string, codec: string, ending: string): Promise<Finding> {
  const name = `video ${codec}`
  try {
    const { blankFrame } = await import('../../media/clip.ts')
    const { createVideoWriter } = await import('../../media/video-out.ts')
    const { openClip } = await import('../../clips/source.ts')
    const path = join(folder, `check.${ending}`)
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
    const remedy =
      missingPart(error)?.problem.remedy ??
      'npm install @napi-rs/webcodecs@1.3.1 (pictures and puppet: clips work without it)'
    return { name, status: 'warn', found: firstLine(error), remedy }
  }
}

const firstLine = (error: unknown) => messageOf(error).split('\n')[0]!
