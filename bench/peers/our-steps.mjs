/**
 * Our side of the comparison: the same step, batch and session that `pantin bench step` times. It uses the built
 * package (`npm run build`), whose inner modules are files of their own.
 */
import { parseArgs } from 'node:util'

export { Stepper } from '../dist/peers.js'

/** Options of the command line that all scripts here have, and `more`. */
export function readOptions(more) {
  const { values } = parseArgs({
    options: {
      net: { type: 'string', default: 'lednet' },
      what: { type: 'string', default: 'step' },
      ...more,
    },
  })
  return values
}
