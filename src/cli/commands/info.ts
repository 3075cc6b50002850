// `pantin info`: what a network costs, counted.
import { resolve } from 'node:path'
import { Option } from 'commander'
import { isFolder } from '../../files/folders.ts'
import { detectorOptions, modelOptions } from '../../motion/options.ts'
import type { DetectorProfile, NetProfile } from '../../profile/profile.ts'
import { formatCount, formatScaled, table } from '../../report/format.ts'
import { findStarter, starterNames } from '../../run/starters.ts'
import { InputError } from '../../util/errors.ts'
import { defined, given, type OptionValues } from '../../util/options.ts'
import { type AddCommand, type Context, type Reporter, withCommonFlags, withPlugins } from '../context.ts'
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
    .summary('count what a network costs')
    .description(
      'Counts the parameters, multiply-adds and memory of a network or of a run, without running it. Of a run, the detector and the generator are counted.',
    )
    .argument(
      '<net|run>',
      `name of a network, such as lednet; folder of a run, or a starter (${starterNames()})`,
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

async function runInfo({ reporter }: Context, name: string, flags: InfoFlags): Promise<void> {
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

/** Counts both parts of a run, at the size that it is for. */
async function ofRun(reporter: Reporter, name: string, flags: InfoFlags): Promise<void> {
  const { outputs, input, as, jacobian, layers: wantsLayers } = flags
  const decided = { outputs, input, as, ...given(detectorOptions, flags), ...(!jacobian && { jacobian }) }
  const refused = Object.keys(defined(decided))
  if (refused.length > 0) {
    throw new InputError({
      what: 'a run has its own network, size and keypoints',
      where: name,
      got: refused.map(flagName).join(', '),
      remedy: 'leave these out',
    })
  }
  const { openRun } = await import('../../run/run.ts')
  const { animatedRunSchema, modelOf } = await import('../../model/loaded-run.ts')
  const { profile, profileModelDetector } = await import('../../profile/profile.ts')
  const { generatorGraph } = await import('../../motion/model.ts')
  const run = await openRun(name, animatedRunSchema)
  const { config } = modelOf(run.config, run.path)
  const { layers, ...detector } = profileModelDetector(config)
  const { layers: generatorLayers, ...generator } = profile(generatorGraph(config))
  const { size, keypoints } = config
  const all = [...layers, ...generatorLayers]
  reporter.result(
    { run: run.path, size, keypoints, detector, generator, ...(wantsLayers && { layers: all }) },
    () => {
      const parts = [
        table([
          ['run', run.path],
          ...starterRows(name, run.path),
          ['keypoints', `${keypoints}${config.jacobian ? ', with local affine maps' : ''}`],
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
