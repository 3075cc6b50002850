import { InputError, nearest } from '../util/errors.ts'
import { edanet, edanetErfdec } from './edanet.ts'
import { enet, enetOriginal } from './enet.ts'
import { erfnet } from './erfnet.ts'
import { esnet } from './esnet.ts'
import { fcn } from './fcn.ts'
import { ficelle } from './ficelle.ts'
import { hourglass, hourglassSmall } from './hourglass.ts'
import { laednetL, laednetM, laednetS } from './laednet.ts'
import { lednet, lednetFigure, lednetOfficial } from './lednet.ts'
import { lrdnet } from './lrdnet.ts'
import type { Net } from './net.ts'
import { resnet18, resnet50 } from './resnet.ts'

/** Every network, by name. A network is added by its own file and a line here. */
export const zoo = {
  hourglass,
  'hourglass-small': hourglassSmall,
  lednet,
  'lednet-official': lednetOfficial,
  'lednet-figure': lednetFigure,
  esnet,
  edanet,
  'edanet-erfdec': edanetErfdec,
  enet,
  'enet-original': enetOriginal,
  erfnet,
  fcn,
  resnet18,
  resnet50,
  lrdnet,
  'laednet-s': laednetS,
  'laednet-m': laednetM,
  'laednet-l': laednetL,
  ficelle,
} as const satisfies {
  readonly [name: string]: Net
}

/** The name of a network of the zoo. */
export type NetName = keyof typeof zoo

/** The network of a detector where none is named: pantin's own, of which docs/results.md says why. */
export const defaultNet: NetName = 'ficelle'

/** The names of all networks, in the registry's order. */
export const netNames = Object.keys(zoo) as [NetName, ...NetName[]]

export const isNetName = (name: string): name is NetName => Object.hasOwn(zoo, name)

/** @throws InputError, with the nearest name, if there is no such network. */
export function findNet(name: string): Net {
  if (isNetName(name)) return zoo[name]
  const guess = nearest(name, netNames)
  throw new InputError({
    what: `there is no network "${name}"`,
    expected: netNames.join(', '),
    ...(guess === undefined ? {} : { remedy: `did you mean "${guess}"?` }),
  })
}
