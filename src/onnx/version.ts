/** Written into every model as its producer; a test holds the version to package.json. */
export const producer = { name: 'pantin', version: '0.1.0' } as const

/** The operator set that pantin writes: the first whose GridSample calls its mode "linear". */
export const opsetVersion = 20

/** The container version that belongs to that operator set. */
export const irVersion = 9n
