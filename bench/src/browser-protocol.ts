// The messages between the bench and its worker in the browser, over HTTP: the worker takes tasks and posts results.
import type { DType } from '../../src/graph/tensor.ts'
import type { WebDevice } from '../../src/runtime/web.ts'

/** A tensor whose elements are at an address of the bench's server. */
export interface TensorAddress {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly data: string
}
export type TensorAddresses = Readonly<Record<string, TensorAddress>>

export interface LoadTask {
  readonly kind: 'load'
  /** The session's name in later tasks. */
  readonly session: string
  readonly device: WebDevice
  readonly threads: number
  /** Address of the model's bytes. */
  readonly model: string
  readonly feeds: TensorAddresses
  /** Inputs that hold state, each with the output that gives its next value. Their first values are in `feeds`. */
  readonly carried?: Readonly<Record<string, string>>
}

/** Runs once and keeps the new state. */
export interface RunTask {
  readonly kind: 'run'
  readonly session: string
}

/** Pauses, runs untimed for a while, then runs once timed. */
export interface SampleTask {
  readonly kind: 'sample'
  readonly session: string
  readonly restMs: number
  readonly warmMs: number
}

export interface CloseTask {
  readonly kind: 'close'
  readonly session: string
}

export type Task = LoadTask | RunTask | SampleTask | CloseTask

/** The result of each kind of task. */
export interface TaskResults {
  load: {
    readonly device: WebDevice
    readonly threads: number
    readonly adapter: string | null
    readonly userAgent: string
    /** Milliseconds to create the session. */
    readonly ms: number
  }
  run: {
    /** The outputs that are not carried. */
    readonly outputs: Readonly<Record<string, readonly number[]>>
    /** The device memory that holds each tensor of the state after the run. */
    readonly locations: Readonly<Record<string, string>>
  }
  sample: { readonly ms: number }
  close: Record<never, never>
}

/** The message that is posted back. An error is sent as its name and message. */
export type Answer = { readonly value: TaskResults[Task['kind']] } | { readonly error: string }
