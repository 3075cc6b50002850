// `pantin info`: what a network costs, counted; or what a video or picture is.
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Option } from 'commander'
import type { MediaFacts } from '../../clips/source.ts'
import { isFolder } from '../../files/folders.ts'
import type { AnimatedRun } from '../../model/loaded-run.ts'
import { detectorOptions, modelOptions } from '../../motion/options.ts'
import type { DetectorProfile, NetProfile } from '../../profile/profile.ts'
import { formatCount, formatScaled, table } from '../../report/format.ts'
import type { Run } from '../../run/run.ts'
import { findStarter, starterNames } from '../../run/starters.ts'
import { InputError, type Problem } from '../../util/errors.ts'
import { defined, given, type OptionValues } from '../../util/options.ts'
import {
  type AddCommand,
  type Context,
  printable,
  printableCell,
  type Reporter,
  withCommonFlags,
  withPlugins,
} from '../context.ts'
import { flagName, sizes, wholeNumber, withFlags } from '../options.ts'

/** Channels, height, width. */
type Input = readonly [number, number, number]
const defaultInput: Input = [3, 64, 64]

interface InfoFlags extends OptionValues<typeof detectorOptions> {
  readonly outputs?: number
  readonly input?: Input
  readonly as?: 'network' | 'detector'
  readonly jacobian: boolean
  readonly layers?: true
}

/** The profile of a network or a detector, without its layers. */
type Profiled = Omit<NetProfile, 'layers'> | Omit<DetectorProfile, 'layers'>

export const addInfo: AddCommand = (program, call) => {
  const command = program
    .command('info')
    .summary('count what a network costs, or say what a video is')
    .description(
      'Counts the parameters, multiply-adds and memory of a network or of a run, without running it. Of a run, the detector and the generator are counted. Of a video or picture, it says what the file is, and whether it is marked as generated; of a folder of videos, what each of them is.',
    )
    .argument(
      '<net|run|file>',
      `name of a network, such as lednet; folder of a run, or a starter (${starterNames()}); or a video, a picture, or a folder of them`,
    )
    .option(
      '--outputs <n>',
      'number of output channels; for a detector, number of keypoints (default: 10)',
      wholeNumber('--outputs', { min: 1, max: 4096 }),
    )
    .addOption(
      new Option('--input <CxHxW>', 'size of the input picture (default: 3x64x64)').argParser(
        sizes('--input', '3x64x64'),
      ),
    )
    .addOption(
      new Option(
        '--as <what>',
        'the network alone, or the keypoint detector that train makes of it (default: network)',
      ).choices(['network', 'detector']),
    )
    .option('--no-jacobian', 'for a detector: points only')
    .option('--layers', 'also count each layer')
  withFlags(command, detectorOptions)
  withCommonFlags(withPlugins(command)).action(call(runInfo))
}

async function runInfo(context: Context, name: string, flags: InfoFlags): Promise<void> {
  const { reporter } = context
  if (await isMediaName(name)) return ofMedia(context, name, flags)
  if (await isRunName(name)) return ofRun(reporter, name, flags)
  const { input = defaultInput } = flags
  const { layers, ...profile } = await (flags.as === 'detector'
    ? detector(name, flags)
    : network(name, flags))
  reporter.result({ ...profile, ...(flags.layers && { layers }) }, () => {
    const summary = describe(profile, input)
    return flags.layers ? `${summary}\n\n${layerTable(layers)}` : summary
  })
}

/** Whether a name is a run's: no network has it, and a folder or a starter does. */
async function isRunName(name: string): Promise<boolean> {
  const { isNet } = await import('../../zoo/registry.ts')
  if (isNet(name)) return false
  const { runFolder } = await import('../../run/config-file.ts')
  return isFolder(await runFolder(name))
}

/** Names that belong to a checkpoint or model, which other commands read. */
const checkpointName = /\.(pth|pt|ckpt|bin|tar|safetensors|onnx|index\.json)(\.gz)?$/i

/** Whether a name is that of a video, of a picture, of a folder that is no run, or of a synthetic clip. */
async function isMediaName(name: string): Promise<boolean> {
  const { isNet } = await import('../../zoo/registry.ts')
  if (isNet(name)) return false
  if (/^(puppet|head):/.test(name)) return true
  if (!existsSync(name)) {
    if (!/[/\\]|\.[a-z0-9]{2,4}$/i.test(name)) return false
    const { addressError } = await import('../../files/file-errors.ts')
    throw (
      addressError(name) ??
      new InputError({
        what: 'there is no such file or folder',
        where: name,
        remedy: 'check the name, and the folder that the command runs in',
      })
    )
  }
  if (await isFolder(name)) return !existsSync(join(name, 'config.json')) && (await hasClips(name))
  if (checkpointName.test(name)) {
    throw new InputError({
      what: 'this is a checkpoint or model, and info tells of networks, runs, videos and pictures',
      where: name,
      remedy: `make a network folder of a checkpoint with pantin import ${name} --net NAME --out FOLDER, and name that folder`,
    })
  }
  return true
}

async function hasClips(folder: string): Promise<boolean> {
  const { listClips } = await import('../../clips/source.ts')
  return listClips([folder]).then(
    () => true,
    (error: unknown) => {
      if (error instanceof InputError) return false
      throw error
    },
  )
}

/** Says what a media file is, or each video of a folder. A video that cannot be read does not hide the others. */
async function ofMedia(context: Context, name: string, flags: InfoFlags): Promise<void> {
  const { reporter, signal } = context
  refuseOptions(name, 'these options are for networks', flags)
  const { describeMedia, listClips } = await import('../../clips/source.ts')
  const clips = await listClips([name])
  if (clips.length === 1) return ofFile(context, clips[0]!)
  const all: MediaFacts[] = []
  const failed: { readonly file: string; readonly error: Problem }[] = []
  for (const clip of clips) {
    try {
      const facts = await describeMedia(clip, { signal })
      reporter.warn(facts.notices.map((notice) => `${clip}: ${notice}`))
      all.push(facts)
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      process.stderr.write(`${printable(`pantin: ${error.message}`)}\n`)
      failed.push({ file: clip, error: error.problem })
      process.exitCode = error.exitCode
    }
  }
  reporter.result({ folder: name, clips: all, ...(failed.length > 0 && { failed }) }, () => {
    const rows = all.map((facts) => {
      const { file, kind, width, height, frames, duration, sound } = facts
      const size = `${width} x ${height}`
      return [
        printableCell(file),
        kind,
        size,
        `${formatCount(frames)}, ${rateOf(facts)}`,
        duration.toFixed(2),
        sound ? 'yes' : 'no',
      ]
    })
    const seconds = all.reduce((sum, { duration }) => sum + duration, 0)
    const bad = failed.map(({ file, error }) => [printableCell(file), `cannot be read: ${error.what}`])
    const total = `${formatCount(all.length)} clips, ${seconds.toFixed(2)} s`
    const lost = bad.length === 0 ? '' : `; ${formatCount(bad.length)} cannot be read`
    const head = ['clip', 'kind', 'pixels', 'frames', 'seconds', 'sound']
    return [table([head, ...rows]), ...(bad.length === 0 ? [] : [table(bad)]), total + lost].join('\n\n')
  })
}

const rateOf = ({ frameRate, variableRate }: MediaFacts) =>
  frameRate && `${Number(frameRate.toFixed(3))} per second${variableRate ? ' on average' : ''}`

/** Says what a media file is. */
async function ofFile({ reporter, signal }: Context, file: string): Promise<void> {
  const { describeMedia } = await import('../../clips/source.ts')
  const facts = await describeMedia(file, { signal })
  reporter.warn(facts.notices)
  reporter.result(facts, () => {
    const { kind, codec, width, height, frames, duration, sound, mark, credentials } = facts
    const rate = rateOf(facts)
    const heard = sound && `${sound.codec}, ${formatCount(sound.sampleRate)} Hz, channels: ${sound.channels}`
    return table([
      ['file', file],
      ['kind', codec === undefined ? kind : `${kind}, ${codec}`],
      ['size', `${width} x ${height} pixels`],
      ...(rate === undefined
        ? []
        : [['frames', `${formatCount(frames)}, ${rate}, ${duration.toFixed(2)} s`]]),
      ...(codec === undefined ? [] : [['sound', heard ?? 'none']]),
      ['mark', mark === undefined ? 'none' : `${mark}${marks[mark] ?? ''}`],
      ...(credentials ? [['credentials', 'C2PA Content Credentials, which are not checked here']] : []),
    ])
  })
}

/** IPTC's terms that say that a model was at work. */
const marks: Readonly<Record<string, string>> = {
  trainedAlgorithmicMedia: ': made by a trained model',
  compositeWithTrainedAlgorithmicMedia: ': parts of it are made by a trained model',
}

/** Counts both parts of a run, at the size that it is for. */
async function ofRun(reporter: Reporter, name: string, flags: InfoFlags): Promise<void> {
  const { layers: wantsLayers, ...others } = flags
  refuseOptions(name, 'a run has its own network, size and keypoints', others)
  const { openRun } = await import('../../run/run.ts')
  const { animatedRunSchema, modelOf } = await import('../../model/loaded-run.ts')
  const { profile, profileModelDetector } = await import('../../profile/profile.ts')
  const { generatorGraph } = await import('../../motion/model.ts')
  const run = await openRun(name, animatedRunSchema)
  const { config } = modelOf(run.config, run.path)
  const { layers, ...detector } = profileModelDetector(config)
  const { layers: generatorLayers, ...generator } = profile(generatorGraph(config))
  const { size, keypoints } = config
  const precision = await precisionOf(run)
  const all = [...layers, ...generatorLayers]
  reporter.result(
    {
      run: run.path,
      size,
      keypoints,
      ...precision,
      detector,
      generator,
      ...(wantsLayers && { layers: all }),
    },
    () => {
      const parts = [
        table([
          ['run', run.path],
          ...starterRows(name, run.path),
          ['keypoints', `${keypoints}${config.jacobian ? ', with local affine maps' : ''}`],
          ...precisionRows(precision),
        ]),
        `detector\n${describe(detector, [3, size, size])}`,
        `generator, ${config.generator.kind}\n${table([
          ['parameters', formatCount(generator.params)],
          ['multiply-adds', formatScaled(generator.macs, 'MAC')],
          ['activations', formatScaled(generator.activationBytes, 'B')],
          ['ONNX nodes', formatCount(generator.ops)],
        ])}`,
        ...(wantsLayers ? [layerTable(all)] : []),
      ]
      return parts.join('\n\n')
    },
  )
}

/** In which precision a run is kept, and what it was compressed for. */
interface RunPrecision {
  /** Null if it has no weights yet. */
  readonly weights: 'fp32' | 'fp16' | null
  readonly compression: {
    readonly device: string
    readonly eightBits: readonly string[]
    readonly halves: boolean
  } | null
}

async function precisionOf({ path, config }: Run<AnimatedRun>): Promise<RunPrecision> {
  const { readSafetensorsHeader } = await import('../../formats/safetensors/safetensors.ts')
  const { weightsFile } = await import('../../run/run-files.ts')
  const file = join(path, weightsFile)
  const entries = existsSync(file) ? Array.from((await readSafetensorsHeader(file)).entries.values()) : []
  const isHalf = entries.some(({ dtype }) => dtype === 'F16')
  const weights = entries.length === 0 ? null : isHalf ? 'fp16' : 'fp32'
  if (config.compression === undefined) return { weights, compression: null }
  const { device, eightBits, halves } = config.compression
  return { weights, compression: { device, eightBits: Object.keys(defined(eightBits)), halves } }
}

function precisionRows({ weights, compression }: RunPrecision): string[][] {
  const rows = weights === 'fp16' ? [['weights', 'in half precision']] : []
  if (compression === null) return rows
  const { device, eightBits, halves } = compression
  const what = [
    `for ${device}`,
    eightBits.length > 0 && `in eight bits: ${eightBits.join(', ')}`,
    halves && 'computes in half precision on a GPU that can',
  ]
  return [...rows, ['compressed', what.filter(Boolean).join('; ')]]
}

/** @throws InputError if there are any options */
function refuseOptions(where: string, what: string, flags: InfoFlags): void {
  const { outputs, input, as, jacobian, layers } = flags
  const decided = {
    outputs,
    input,
    as,
    ...given(detectorOptions, flags),
    ...(!jacobian && { jacobian }),
    layers,
  }
  const refused = Object.keys(defined(decided))
  if (refused.length === 0) return
  throw new InputError({ what, where, got: refused.map(flagName).join(', '), remedy: 'leave these out' })
}

/** What a starter is for. A run of the same name is none. */
function starterRows(name: string, path: string): string[][] {
  const starter = findStarter(name)
  return starter === undefined || resolve(name) === path ? [] : [['starter', starter.purpose]]
}

async function network(name: string, flags: InfoFlags): Promise<NetProfile> {
  const { outputs = modelOptions.keypoints.default, input = defaultInput, jacobian } = flags
  const { dilations, ...others } = given(detectorOptions, flags)
  if (Object.keys(others).length > 0 || !jacobian) {
    throw new InputError({
      what: '--head, --skip and --no-jacobian are for detectors',
      remedy: 'add --as detector',
    })
  }
  const { profileNet } = await import('../../profile/profile.ts')
  return profileNet(name, { outputs, input, ...defined({ dilations }) })
}

async function detector(name: string, flags: InfoFlags): Promise<DetectorProfile> {
  const { outputs: keypoints = modelOptions.keypoints.default, input = defaultInput, jacobian } = flags
  const [channels, height, width] = input
  if (channels !== 3 || height !== width) {
    throw new InputError({
      what: 'a detector reads square RGB pictures',
      where: '--input',
      got: input.join('x'),
      expected: `3x${height}x${height}`,
    })
  }
  const { profileDetector } = await import('../../profile/profile.ts')
  return profileDetector(name, { keypoints, size: height, jacobian, ...given(detectorOptions, flags) })
}

function describe(profile: Profiled, input: Input): string {
  const side = Math.max(input[1], input[2])
  const sees = `${formatCount(profile.receptiveField)} px${profile.receptiveField >= side ? ', the whole picture' : ''}`
  return table([
    ['network', profile.net],
    ['input', input.join('x')],
    ['parameters', parameters(profile)],
    ['multiply-adds', formatScaled(profile.macs, 'MAC')],
    ['activations', formatScaled(profile.activationBytes, 'B')],
    ['receptive field', sees],
    ['ONNX nodes', formatCount(profile.ops)],
    ['output stride', String(profile.outputStride)],
    ['skips', profile.skipKind],
    ...('skip' in profile ? [['head', `${profile.head}, with --skip ${profile.skip}`]] : []),
    ['dilations', dilations(profile)],
    ...(profile.reconstruction ? [['status', 'reconstruction: no code was published']] : []),
  ])
}

const parameters = ({ params, unusedParams }: Profiled) =>
  unusedParams === 0
    ? formatCount(params)
    : `${formatCount(params)}, ${formatCount(unusedParams)} of them unused`

/** For instance `as published; height: 9 to 4, 17 to 4; width: 9 to 4, 17 to 4`. */
function dilations({ dilations, clipped }: Profiled): string {
  if (dilations === 'published') return 'as published'
  if (clipped.length === 0) return 'as published (none is beyond its map)'
  const along = (axis: 'height' | 'width') => {
    const pairs = clipped.filter((clip) => clip.axis === axis).map((c) => `${c.published} to ${c.used}`)
    return pairs.length === 0 ? [] : [`along the ${axis} ${[...new Set(pairs)].join(', ')}`]
  }
  return `clipped to the map: ${[...along('height'), ...along('width')].join('; ')}`
}

function layerTable(layers: NetProfile['layers']): string {
  const rows = layers.map(({ name, shape, params, macs, activationBytes }) => [
    name,
    shape.join('x'),
    formatCount(params),
    formatCount(macs),
    formatCount(activationBytes),
  ])
  return table(rows, ['layer', 'result', 'parameters', 'multiply-adds', 'activation bytes'])
}
