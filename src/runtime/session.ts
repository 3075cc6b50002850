// A model that is ready to run, behind one interface for Node and browsers, and the checks of its tensors.

import type { Graph } from '../graph/graph.ts'
import { allocate, type DType, formatShape, sizeOf, type Tensor } from '../graph/tensor.ts'
import { InputError, nearest } from '../util/errors.ts'

/** Where a session computes. */
export type Device = 'cpu' | 'webgpu' | 'cuda'

/** Element type and shape of an input or output. An axis that the model leaves open has a name for a size. */
export interface PortType {
  /** Element type. */
  readonly dtype: DType
  /** Sizes of the axes; a name stands for a size that the model leaves open. */
  readonly shape: readonly (number | string)[]
}

/** A model that is ready to run, on whatever runs it: onnxruntime-node here, onnxruntime-web in a browser. */
export interface Session extends AsyncDisposable {
  /** Types of the inputs, by name. */
  readonly inputs: ReadonlyMap<string, PortType>
  /** Types of the outputs, by name. */
  readonly outputs: ReadonlyMap<string, PortType>
  /** The device that is really used. */
  readonly device: Device
  /**
   * Computes the outputs.
   *
   * @param feeds a tensor for every input. They are read, not kept.
   * @param into memory that outputs are written to, for any of them; the result holds these very tensors.
   * @throws InputError if a tensor is missing, unknown, or of another type or shape, or the session is
   * closed. EnvironmentError if the computation fails.
   */
  run(feeds: Tensors, into?: Tensors): Promise<Record<string, Tensor>>
  /** Frees the model. More than one call does nothing more. */
  close(): Promise<void>
}

/** Tensors by the names of inputs or outputs. */
export type Tensors = Readonly<Record<string, Tensor>>

/** Checks feeds against a session's inputs. @throws InputError */
export function checkFeeds(feeds: Tensors, inputs: ReadonlyMap<string, PortType>): void {
  for (const [name, type] of inputs) {
    if (!Object.hasOwn(feeds, name)) {
      throw new InputError({
        what: `the input "${name}" is not fed`,
        got: list(Object.keys(feeds)),
        expected: describePort(type),
        remedy: `give a tensor for "${name}"`,
      })
    }
  }
  checkPorts('input', feeds, inputs)
}

/**
 * Checks memory for outputs: known names, their types and shapes, and that none of it is memory that is fed,
 * which would be overwritten while it is still read. @throws InputError
 */
export function checkInto(into: Tensors, feeds: Tensors, outputs: ReadonlyMap<string, PortType>): void {
  checkPorts('output', into, outputs)
  for (const [name, target] of Object.entries(into)) {
    for (const [fed, source] of Object.entries(feeds)) {
      if (overlap(target.data, source.data)) {
        throw new InputError({
          what: `the output "${name}" would be written over the input "${fed}"`,
          remedy: 'give the output memory of its own, and exchange the two after the run',
        })
      }
    }
  }
}

function checkPorts(kind: 'input' | 'output', tensors: Tensors, ports: ReadonlyMap<string, PortType>): void {
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    const port = ports.get(name)
    if (port === undefined) throw unknownName(kind, name, ports)
    const fits =
      port.shape.length === shape.length &&
      port.shape.every((n, i) => n === shape[i] || typeof n === 'string')
    if (dtype !== port.dtype || !fits) {
      throw new InputError({
        what: `the tensor for the ${kind} "${name}" is of another type or shape`,
        got: `${dtype}${formatShape(shape)}`,
        expected: describePort(port),
      })
    }
    const Expected = allocate(dtype, 0).constructor
    if (!(data instanceof Expected) || data.length !== sizeOf(shape)) {
      throw new InputError({
        what: `the data of the tensor for the ${kind} "${name}" do not fit its type and shape`,
        got: `${data.length} elements of a ${data.constructor.name}`,
        expected: `${sizeOf(shape)} of a ${Expected.name}`,
      })
    }
  }
}

function unknownName(kind: string, name: string, ports: ReadonlyMap<string, PortType>): InputError {
  const guess = nearest(name, ports.keys())
  return new InputError({
    what: `the model has no ${kind} "${name}"`,
    expected: list([...ports.keys()]),
    ...(guess === undefined ? {} : { remedy: `did you mean "${guess}"?` }),
  })
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 8).join(', ')
  return names.length > 8 ? `${shown} and ${names.length - 8} more` : shown || 'nothing'
}

/** `float32[1, 3, 64, 64]`, for messages. */
export const describePort = ({ dtype, shape }: PortType): string => `${dtype}[${shape.join(', ')}]`

function overlap(a: ArrayBufferView, b: ArrayBufferView): boolean {
  return (
    a.buffer === b.buffer &&
    a.byteOffset < b.byteOffset + b.byteLength &&
    b.byteOffset < a.byteOffset + a.byteLength
  )
}

/**
 * How much ONNX Runtime rewrites a model when it is loaded. `fuse` is `all` for a graph that `simplify` has been
 * over: convolutions are fused with activations and products with transposes, and nothing else is looked for. On a
 * training step of 9,000 nodes that takes half of the time of loading away, and none of the speed.
 */
export type Optimise = 'none' | 'basic' | 'fuse' | 'all'

/** What a session is opened with, wherever it computes. */
export interface OpenOptions {
  /** Contents of the graph's parameters, where a graph is given. */
  readonly weights?: ReadonlyMap<string, Tensor>
  /** How much ONNX Runtime rewrites the model when it is loaded (default: all). */
  readonly optimise?: Optimise
  /** See `SessionOptions`; in a browser it has no meaning. */
  readonly spin?: boolean
}

/** Opens sessions on one device: in Node `sessionsOn`, in a browser `webSessions`. */
export type OpenSession = (model: Graph | Uint8Array, options?: OpenOptions) => Promise<Session>
