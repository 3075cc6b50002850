import { InputError, nearest } from '../util/errors.ts'
import { hourglass } from './hourglass.ts'
import { lednet } from './lednet.ts'
import type { Net } from './net.ts'

/** Every network, by name. A network is added by its own file and a line here. */
export const zoo = { hourglass, lednet } as const satisfies { readonly [name: string]: Net }

export type NetName = keyof typeof zoo

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
