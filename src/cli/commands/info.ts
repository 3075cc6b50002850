import { Option } from 'commander'
import type { NetProfile } from '../../compress/profile.ts'
import { InputError } from '../../util/errors.ts'
import { type AddCommand, type Context, withCommonFlags } from '../context.ts'
import { formatCount, formatScaled, table } from '../format.ts'
import { sizes, wholeNumber } from '../options.ts'

interface InfoFlags {
  readonly outputs?: number
  readonly input: readonly [number, number, number]
  readonly as: 'network' | 'detector'
  readonly layers?: true
}

/** `pantin info NET`. */
export const addInfo: AddCommand = (program, call) => {
  const command = program
    .command('info')
    .summary('count what a network costs')
    .description('Counts parameters, multiply-adds and memory of a network. Nothing is run.')
    .argument('<net>', 'name of a network, such as lednet')
    .option(
      '--outputs <n>',
      'channels of the result; keypoints, of a detector (default: 10)',
      wholeNumber('--outputs', { min: 1, max: 4096 }),
    )
    .addOption(
      new Option('--input <CxHxW>', 'the picture to count for')
        .argParser(sizes('--input', '3x64x64'))
        .default([3, 64, 64], '3x64x64'),
    )
    .addOption(
      new Option('--as <what>', 'the plain network, or the keypoint detector that train makes of it')
        .choices(['network', 'detector'])
        .default('network'),
    )
    .option('--layers', 'also count each layer')
  withCommonFlags(command).action(call(runInfo))
}

async function runInfo({ reporter }: Context, name: string, flags: InfoFlags): Promise<void> {
  const { outputs = 10, input } = flags
  const { layers, ...profile } =
    flags.as === 'network' ? await network(name, outputs, input) : await detector(name, outputs, input)
  reporter.result({ ...profile, ...(flags.layers && { layers }) }, () => {
    const summary = describe(profile, input)
    return flags.layers ? `${summary}\n\n${layerTable(layers)}` : summary
  })
}

async function network(name: string, outputs: number, input: InfoFlags['input']): Promise<NetProfile> {
  const { profileNet } = await import('../../compress/profile.ts')
  return profileNet(name, { outputs, input })
}

async function detector(name: string, keypoints: number, input: InfoFlags['input']): Promise<NetProfile> {
  const [channels, height, width] = input
  if (channels !== 3 || height !== width) {
    throw new InputError({
      what: 'a detector reads square RGB pictures',
      where: '--input',
      got: input.join('x'),
      expected: `3x${height}x${height}`,
    })
  }
  const { profileDetector } = await import('../../compress/profile.ts')
  return profileDetector(name, { keypoints, size: height })
}

function describe(profile: Omit<NetProfile, 'layers'>, input: InfoFlags['input']): string {
  const side = Math.max(input[1], input[2])
  const sees = `${formatCount(profile.receptiveField)} px${profile.receptiveField >= side ? ', the whole picture' : ''}`
  return table([
    ['network', profile.net],
    ['input', input.join('x')],
    ['parameters', formatCount(profile.params)],
    ['multiply-adds', formatScaled(profile.macs, 'MAC')],
    ['activations', formatScaled(profile.activationBytes, 'B')],
    ['receptive field', sees],
    ['ONNX nodes', formatCount(profile.ops)],
    ['output stride', String(profile.outputStride)],
    ['skips', profile.skips ? 'yes' : 'no'],
  ])
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
