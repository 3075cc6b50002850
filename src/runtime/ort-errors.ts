import { EnvironmentError, FormatError, messageOf } from '../util/errors.ts'
import type { Device } from './session.ts'

/** What ONNX Runtime throws, as pantin's errors: with the node's name in front and its source paths left out. */

/** A model that cannot be loaded. */
export function loadError(error: unknown): FormatError {
  const message = messageOf(error)
  return new FormatError(
    {
      what: 'ONNX Runtime cannot load the model',
      ...whereOf(message),
      got: tidy(message),
      remedy: 'check the model with onnx.checker, or export it again at opset 20 or below',
    },
    { cause: error },
  )
}

/** A run that failed: out of memory, or its device is gone. */
export class ComputeError extends EnvironmentError {}

export function runError(error: unknown, device: Device): ComputeError {
  const message = messageOf(error)
  return new ComputeError(
    {
      what: `ONNX Runtime failed to run the model on ${device}`,
      ...whereOf(message),
      got: tidy(message),
      ...(device === 'cpu' ? {} : { remedy: 'try the device "cpu" to tell the model from the device' }),
    },
    { cause: error },
  )
}

/** The node that a message names, as `Name:'encoder/Conv_1'` (run) or `Node (encoder/Conv_1)` (load). */
function whereOf(message: string): { where?: string } {
  const where = /Name:'([^']+)'/.exec(message)?.[1] ?? /[Nn]ode \(([^)]+)\)/.exec(message)?.[1]
  // A layout change appends _token_N to the names of the nodes that it replaces.
  return where === undefined ? {} : { where: where.replace(/_token_\d+$/, '') }
}

/** The message on one line, without the path and signature of the C++ function that it comes from. */
export function tidy(message: string): string {
  const line = message
    .replace(/\/\S*?\.(?:cc|cpp|h|hpp):\d+ /g, '')
    .replace(/\s+/g, ' ')
    .trim()
  return line.length > 400 ? `${line.slice(0, 400)}...` : line
}
