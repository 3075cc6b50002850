import type { DType } from '../graph/tensor.ts'
import type { WebDevice } from '../runtime/web.ts'

/** What the bench asks of the worker in the browser, over HTTP: it takes tasks and posts their results. */

/** A tensor whose elements stand at an address of the bench's server. */
export interface TensorAddress {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly data: string
}
export type TensorAddresses = Readonly<Record<string, TensorAddress>>

export interface LoadTask {
  readonly kind: 'load'
  /** What later tasks call it. */
  readonly session: string
  readonly device: WebDevice
  readonly threads: number
  /** Address of the model's bytes. */
  readonly model: string
  readonly feeds: TensorAddresses
  /** Inputs that are state, each with the output of its next value. Their first values are among `feeds`. */
  readonly carried?: Readonly<Record<string, string>>
}

/** Runs once, and takes over the state. */
export interface RunTask {
  readonly kind: 'run'
  readonly session: string
}

/** Rests, runs untimed for a while, then runs timed. */
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

/** What each task gives. */
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
    /** Where each tensor of the state is after the run. */
    readonly locations: Readonly<Record<string, string>>
  }
  sample: { readonly ms: number }
  close: Record<never, never>
}

/** What is posted back. An error comes as its name and message. */
export type Answer = { readonly value: TaskResults[Task['kind']] } | { readonly error: string }
