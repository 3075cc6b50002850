import { version } from '../util/version.ts'

/** Written into every model as its producer. */
export const producer = { name: 'pantin', version } as const

/** The operator set that pantin writes: the first whose GridSample calls its mode "linear". */
export const opsetVersion = 20

/** The container version that belongs to that operator set. */
export const irVersion = 9n
