// What networks are and cost, for pages. The zoo is large, so that the worker has it and not the page.
import type { Diagram } from '../profile/diagram.ts'
import type { WebDevice } from '../runtime/web-runtime.ts'
import type { Paper } from '../zoo/net.ts'
import {
  type Connection,
  connected,
  type SentPlace,
  sentPlace,
  type WebPlace,
  type WorkerPlace,
} from './connection.ts'
import type { DeviceEvent } from './model.ts'

/** A network of the zoo. */
export interface NetworkFacts {
  /** Name, by which options name it. */
  readonly name: string
  /** Name as in the paper. */
  readonly title: string
  /** Year of the paper. */
  readonly year: number
  /** The paper that it is from. */
  readonly paper: Paper
  /** Built from a paper alone, with inferred parts. */
  readonly reconstruction: boolean
}

/** What a network costs, by counting. */
export interface NetworkProfile {
  /** Trained numbers. */
  readonly params: number
  /** Multiply-accumulates for one picture. */
  readonly macs: number
  /** Bytes of all results. */
  readonly activationBytes: number
  /** Side of the square of input pixels that one output element depends on. */
  readonly receptiveField: number
  /** Nodes of the exported ONNX model. */
  readonly ops: number
  /** The shape of the network. */
  readonly diagram: Diagram
  /** The parts of the network in the order of building. Several may be of one module. */
  readonly blocks: readonly NetworkBlock[]
}

/** A part of a network: the ops of one scope. */
export interface NetworkBlock {
  /** Scope of its nodes: `kp_detector/predictor/layers.3`. */
  readonly name: string
  /** Its name in the diagram's `Stage.modules`: `layers.3`. */
  readonly module: string
  /** What it computes, op by op: `3x1 conv, relu, 1x3 conv, ...`. */
  readonly does: string
  /** Shape of its result, without the batch. */
  readonly shape: readonly number[]
  /** Trained numbers. */
  readonly params: number
  /** Multiply-accumulates. */
  readonly macs: number
  /** Bytes of the results. */
  readonly activationBytes: number
  /** Of its result: side of the square of input pixels that one element depends on. */
  readonly receptiveField: number
}

/** How a network is timed. */
export interface TimeOptions extends WebPlace {
  /** Timed runs (default 15). */
  readonly rounds?: number
  /** After each run, of all timed runs and some before them. */
  onProgress?(done: number, total: number): void
}

/** How long one run of a network takes, over all timed runs. */
export interface NetworkTime {
  /** Milliseconds. */
  readonly median: number
  /** Milliseconds. */
  readonly min: number
  /** The device that was really used. */
  readonly device: WebDevice
  /** Threads on the CPU. */
  readonly threads: number
}

/** The worker's methods for networks. */
export interface NetworkMethods {
  listNetworks(request: undefined): readonly NetworkFacts[]
  profileNetwork(request: { name: string; as: 'detector' | 'network' }): NetworkProfile
  timeNetwork(request: { name: string; rounds: number; place: SentPlace }): NetworkTime
}

/** What the worker tells while it times a network. */
export type NetworkEvent =
  | DeviceEvent
  | { readonly kind: 'progress'; readonly done: number; readonly total: number }

type NetworkConnection = Connection<NetworkMethods, NetworkEvent>

/** Every network of the zoo, in its order. @throws the signal's reason, if it is aborted. */
export function listNetworks(place: WorkerPlace): Promise<readonly NetworkFacts[]> {
  return once(place, (connection) => connection.call('listNetworks', undefined))
}

/**
 * What a network costs, by counting, and what it is made of.
 *
 * @param options `as`: the keypoint detector on it at 64x64 (default), or the plain network.
 * @throws InputError for an unknown network. The signal's reason, if it is aborted.
 */
export function profileNetwork(
  name: string,
  place: WorkerPlace,
  { as = 'detector' }: { readonly as?: 'detector' | 'network' } = {},
): Promise<NetworkProfile> {
  return once(place, (connection) => connection.call('profileNetwork', { name, as }))
}

/**
 * How long a network's keypoint detector at 64x64 takes on this device, with random weights.
 *
 * @throws InputError for an unknown network; EnvironmentError if the device is missing. The signal's reason, if it is
 * aborted.
 */
export function timeNetwork(name: string, options: TimeOptions): Promise<NetworkTime> {
  const { rounds = 15, onProgress, onNotice } = options
  return once(options, (connection) => {
    connection.onEvent = (event) => {
      if (event.kind === 'progress') onProgress?.(event.done, event.total)
      if (event.kind === 'notice') onNotice?.(event.notice)
    }
    return connection.call('timeNetwork', { name, rounds, place: sentPlace(options) })
  })
}

/** One question to a worker, which ends after its answer. */
function once<T>(place: WorkerPlace, ask: (connection: NetworkConnection) => Promise<T>): Promise<T> {
  return connected(place, async (connection: NetworkConnection) => {
    const answer = await ask(connection)
    connection.close()
    return answer
  })
}
