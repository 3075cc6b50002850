// What a network says of itself and can build: the contract of the zoo, and of a network of your own.
import type { Value } from '../graph/graph.ts'
import type { Shape } from '../graph/tensor.ts'
import type { Skip } from '../layers/gates.ts'
import type { Scope } from '../layers/scope.ts'
import { InputError } from '../util/errors.ts'

/** Where a network was published. */
export interface Paper {
  /** Title. */
  readonly title: string
  /** Authors. */
  readonly authors: string
  /** Where to read it. */
  readonly url: string
}

/** Options of a network's own: they decide the shape of a network that has no fixed one. Plain JSON. */
export interface NetOptions<T> {
  /** Under which name config.json records them, in `detector` (default: `options`). */
  readonly key?: NetOptionsKey
  /** What the network is made of if nothing is given. */
  readonly default: T
  /** Checks options, whatever they are. @throws InputError that names the part which does not fit. */
  parse(value: unknown): T
}

/** Names under which config.json records networks' own options. Hourglass and ficelle have their own names. */
export const netOptionsKeys = ['options', 'hourglass', 'design'] as const
/** One of these names. */
export type NetOptionsKey = (typeof netOptionsKeys)[number]
/** The part of a configuration that records them. */
export type RecordedNetOptions = { readonly [K in NetOptionsKey]?: unknown }

/** What a plain network is built for. */
export interface BuildOptions<T = unknown> {
  /** Channels of the result: classes, or maps. */
  readonly outputs: number
  /** The network's own options (default: its defaults). */
  readonly options?: T | undefined
}

/** What a detector's backbone is built for. */
export interface FeatureOptions<T = unknown> {
  /** Channels that the decoder is to give; a network whose decoder has a width of its own keeps that. */
  readonly channels: number
  /**
   * How the encoder's map of 1/4 joins the decoder's. A decoder that passes 1/4 on its way joins them there
   * (`joinSkip`); one that ends at a coarser stride leaves it to the head; one that has skips of its own at
   * 1/4 has no use for it.
   */
  readonly skip: Skip
  /** The network's own options (default: its defaults). */
  readonly options?: T | undefined
}

/** Feature maps [N, C, H / stride, W / stride]. */
export interface FeatureMap {
  /** The map, [N, C, H / stride, W / stride]. */
  readonly value: Value
  /** Pixels of the input per element of the map. */
  readonly stride: number
}

/** What a detector's head stands on. */
export interface Features {
  /** What the network's own decoder gives, before the last projection or upsampling. */
  readonly deep: FeatureMap
  /** Maps of the encoder at finer strides, finest first, for a head that wants a skip. */
  readonly shallow: readonly FeatureMap[]
}

/** A parameter of the published checkpoint that no output depends on. */
export interface UnusedParameter {
  /** Name in the checkpoint. */
  readonly name: string
  /** Sizes of the axes. */
  readonly shape: Shape
  /** Whether it is another name of a parameter that is used: then it is no parameter more. */
  readonly alias?: boolean
}

/**
 * A network. `T` is what its own options are, for one that has some: what it is given as options has passed its `parse`.
 */
export interface Net<T = unknown> {
  /** Lower case letters, digits and hyphens. */
  readonly name: string
  /** For people. */
  readonly title: string
  /** The paper that it is from. */
  readonly paper: Paper
  /** Year of the paper. */
  readonly year: number
  /** Of the repository that names and numbers are from; none where nothing was published. */
  readonly licence?: string
  /** No code was published: built from what the paper says, and the rest is inferred. */
  readonly reconstruction?: true
  /** Options of the network itself, if it has some. */
  readonly options?: NetOptions<T>
  /** What goes from the encoder over to the decoder. */
  readonly skips: 'none' | 'pooling indices' | 'maps'
  /** Stride of the coarsest map. */
  outputStride(options?: T): number
  /** Height and width of an input must be multiples of this. */
  multiple(options?: T): number
  /** What published checkpoints hold besides the parameters that `build` asks for. */
  unused?(options: BuildOptions<T>): readonly UnusedParameter[]
  /**
   * The plain network.
   *
   * @param x [N, C, H, W]
   * @returns [N, outputs, H, W], without a final nonlinearity
   * @throws InputError where H or W is no multiple of `multiple`.
   */
  build(scope: Scope, x: Value, options: BuildOptions<T>): Value
  /**
   * The network as a detector's backbone.
   *
   * @param x [N, C, H, W]
   * @throws InputError as build.
   */
  features(scope: Scope, x: Value, options: FeatureOptions<T>): Features
}

/** A network's own options as a configuration records them, checked; its defaults if none are recorded. @throws InputError */
export function ownOptions<T>({ options }: Net<T>, recorded: RecordedNetOptions): T | undefined {
  if (options === undefined) return undefined
  const given = recorded[options.key ?? 'options']
  return given === undefined ? options.default : options.parse(given)
}

/**
 * @param times how many times smaller the network sees what users give (default 1): the message is of what they give
 * @throws InputError where height or width of [N, C, H, W], as many times smaller, is no multiple of `multiple`.
 */
export function checkSize(net: string, x: Value, multiple: number, times = 1): void {
  const [h, w] = x.shape.slice(2) as [number, number]
  const fits = (size: number) => Math.ceil(size / times) % multiple === 0
  if (fits(h) && fits(w)) return
  const whole = times * multiple
  const near = (size: number) => Math.max(1, Math.round(size / whole)) * whole
  throw new InputError({
    what: `${net} does not take pictures of this size`,
    got: `${w}x${h} (width x height)`,
    expected: `multiples of ${whole}`,
    remedy: `resize to ${near(w)}x${near(h)}`,
  })
}
