// A figure: one measured number, what it is held against, and whether its target is reached.

/** One measured number. */
export interface Figure {
  /** Dotted, from general to particular: `detector.light.cpu`, `track.256`. */
  readonly name: string
  readonly value: number
  readonly unit: 'ms' | 's' | 'min' | 'frames/s' | 'MiB'
  /** The figure that this one is compared with. It is measured in turn with this one, or elsewhere: then `source` says where. */
  readonly peer?: { readonly name: string; readonly value: number; readonly source?: string }
  /** This figure relative to its peer. With `atLeast`: how many times faster. With `atMost`: what part of the peer's time or memory. */
  readonly ratio?: number
  /** Bound of `ratio`, or of `value` if there is no ratio. */
  readonly target?: { readonly atLeast: number } | { readonly atMost: number }
  /** The best that the machine could do, and how that was computed. */
  readonly floor?: { readonly value: number; readonly because: string }
  /** How it was measured: sizes, threads, rounds. */
  readonly how: string
  /** What was tried, if the target is not reached. */
  readonly tried?: string
}

/** Whether the target is met; null where there is none. */
export function reached({ value, ratio, target }: Figure): boolean | null {
  if (target === undefined) return null
  const measured = ratio ?? value
  return 'atLeast' in target ? measured >= target.atLeast : measured <= target.atMost
}

/** A figure or a part that could not be measured here, and why. */
export interface Skipped {
  readonly name: string
  readonly why: string
}

/** What was tried, by the names of figures. A figure may also bring its own text. */
const attempts: readonly (readonly [RegExp, string])[] = [
  [
    /^step\..*\.time$/,
    'weight gradients tap by tap, fewer products and nodes, masks as products: docs/speed.md, "The training step"',
  ],
  [
    /^step\..*\.memory$/,
    'one vector each for weights, buffers and moments: docs/speed.md, "The training step"',
  ],
  [/^step\.lednet\.wasm$/, 'docs/speed.md'],
  [
    /^detector\.exact/,
    'filter as two products, jacobian after pooling, upsampling by sub-pixels, heads apart: docs/speed.md, "The keypoint detector at 256x256"',
  ],
  [
    /^detector\.light/,
    'means instead of the Gaussian, a search over designs: docs/speed.md, "Light", and docs/results.md',
  ],
]

/** Adds to a figure what was tried, if its target is not reached. */
export function withTried(figure: Figure): Figure {
  if (figure.tried !== undefined || reached(figure) !== false) return figure
  const text = attempts.find(([names]) => names.test(figure.name))?.[1]
  return text === undefined ? figure : { ...figure, tried: text }
}
