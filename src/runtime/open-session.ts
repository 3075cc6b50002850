import type { Graph } from '../graph/graph.ts'
import type { Tensor } from '../graph/tensor.ts'
import type { Optimise } from './optimisation.ts'
import type { Session } from './session.ts'

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
