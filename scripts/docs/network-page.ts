// The page of a network of the zoo, and the list of all networks.

import { readdirSync, readFileSync } from 'node:fs'
import { type NetProfile, profileDetector, profileNet } from '../../src/profile/profile.ts'
import type { Net } from '../../src/zoo/net.ts'
import { findNet, netNames } from '../../src/zoo/registry.ts'
import { blocksOf } from './block-sources.ts'
import { headerOf } from './comments.ts'
import { generated, scaled, table, whole } from './tables.ts'

const folder = new URL('../../src/zoo/', import.meta.url)

/** The file of src/zoo that a network is exported from. */
async function fileOf(net: Net): Promise<string> {
  for (const file of readdirSync(folder)) {
    if (file === 'registry.ts') continue
    const exported: object = await import(new URL(file, folder).pathname)
    if (Object.values(exported).includes(net)) return file
  }
  throw new Error(`no file of src/zoo exports ${net.name}`)
}

/** The page of a network: what the code says of it, and what it costs. */
export async function networkPage(name: string): Promise<string> {
  const net = findNet(name)
  const file = await fileOf(net)
  const used = blocksOf(name)
  const small = profileNet(name, { outputs: 10, input: [3, 64, 64] })
  return `${[
    generated,
    `# ${net.title}`,
    ...(net.reconstruction
      ? ['**Reconstruction**: no code was published; what is inferred is marked below.']
      : []),
    `Name: \`${name}\`. Source: [\`src/zoo/${file}\`](../../src/zoo/${file}). ${paper(net)}`,
    headerOf(readFileSync(new URL(file, folder), 'utf8'), file),
    '## Figures',
    figures(name, small),
    traits(net, small),
    ...(used.length === 0
      ? []
      : ['## Blocks', used.map(({ name, title }) => `- [${title}](../blocks/${name}.md)`).join('\n')]),
    '## Layers',
    'On one picture of 3x64x64, with 10 outputs.',
    table(
      ['Layer', 'Result', 'Parameters', 'Multiply-adds', 'Activation bytes'],
      small.layers.map((layer) => [
        `\`${layer.name}\``,
        layer.shape.join('x'),
        whole(layer.params),
        whole(layer.macs),
        whole(layer.activationBytes),
      ]),
    ),
  ].join('\n\n')}\n`
}

const paper = ({ paper, year, licence }: Net) =>
  `Paper: [${paper.title}](${paper.url}), ${paper.authors}, ${year}.` +
  (licence === undefined ? '' : ` Licence of the reference: ${licence}.`)

function figures(name: string, small: NetProfile): string {
  const rows: [string, NetProfile][] = [
    ['network, 10 outputs, 3x64x64', small],
    ['network, 19 outputs, 3x512x1024', profileNet(name, { outputs: 19, input: [3, 512, 1024] })],
    ['detector, 10 keypoints, 3x64x64', profileDetector(name)],
    ["detector with FOMM's head", profileDetector(name, { head: 'fomm' })],
  ]
  return table(
    ['As', 'Parameters', 'Multiply-adds', 'Activations', 'ONNX nodes'],
    rows.map(([label, profile]) => [
      label,
      whole(profile.params),
      scaled(profile.macs),
      `${scaled(profile.activationBytes)}B`,
      whole(profile.ops),
    ]),
  )
}

function traits(net: Net, { unusedParams, clipped, receptiveField }: NetProfile): string {
  const dilations = [...new Set(clipped.map(({ published, used }) => `${published} to ${used}`))]
  const lines = [
    `Output stride: ${net.outputStride()}. Height and width must be multiples of ${net.multiple()}.`,
    `From encoder to decoder: ${net.skips}.`,
    `Receptive field: ${whole(receptiveField)} pixels.`,
    dilations.length === 0
      ? 'At 64x64 no dilation is beyond its map.'
      : `At 64x64 dilations are clipped to the map: ${dilations.join(', ')}; \`--dilations published\` keeps them.`,
    ...(unusedParams === 0
      ? []
      : [`${whole(unusedParams)} of the parameters are in the published checkpoint and never used.`]),
  ]
  return lines.map((line) => `- ${line}`).join('\n')
}

/** The list of all networks. */
export function networkIndex(): string {
  const rows = netNames.map((name) => {
    const net = findNet(name)
    const { params, macs } = profileNet(name, { outputs: 10, input: [3, 64, 64] })
    const title = net.reconstruction ? `${net.title} (reconstruction)` : net.title
    return [`[${title}](${name}.md)`, `\`${name}\``, String(net.year), whole(params), scaled(macs), net.skips]
  })
  return `${[
    generated,
    '# Networks',
    'With 10 outputs, on one picture of 3x64x64. `pantin compare` measures how long each takes on your machine.',
    table(['Network', 'Name', 'Year', 'Parameters', 'Multiply-adds', 'Encoder to decoder'], rows),
  ].join('\n\n')}\n`
}
