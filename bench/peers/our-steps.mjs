/**
 * Our side of the comparison: the same step, batch and session that `pantin bench step` times. It uses the built
 * package (`npm run build`), whose inner modules are files of their own.
 */
import { parseArgs } from 'node:util'
import { parseStepModel } from '../dist/peers.js'

export { Stepper } from '../dist/peers.js'

/** Options of the command line that all scripts here have, and `more`. The model is `{ net, generator, size }`. */
export function readOptions(more) {
  const { values } = parseArgs({
    options: {
      net: { type: 'string', default: 'lednet' },
      generator: { type: 'string', default: 'small' },
      size: { type: 'string', default: '64' },
      what: { type: 'string', default: 'step' },
      ...more,
    },
  })
  const { net, generator, size, ...others } = values
  return { ...others, model: parseStepModel([net, generator, size].join(':')) }
}
