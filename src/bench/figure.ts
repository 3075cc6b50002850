/** One thing that was measured, what it is held against, and whether that was reached. */
export interface Figure {
  /** Dotted, from the general to the particular: `detector.light.cpu`, `track.256`. */
  readonly name: string
  readonly value: number
  readonly unit: 'ms' | 's' | 'frames/s' | 'MiB'
  /** What the figure is held against, measured in turn with it or, where `source` says so, elsewhere. */
  readonly peer?: { readonly name: string; readonly value: number; readonly source?: string }
  /** How many times better than the peer (times faster) or how many of the peer's it takes, as `target` reads it. */
  readonly ratio?: number
  /** Bound of the ratio where there is one, else of the value. */
  readonly target?: { readonly atLeast: number } | { readonly atMost: number }
  /** What the machine could do at best, and how that was worked out. */
  readonly floor?: { readonly value: number; readonly because: string }
  /** How it was measured: sizes, threads, rounds. */
  readonly how: string
  /** Where the target is not reached: what was tried. */
  readonly tried?: string
}

/** Whether the target is met; null where there is none. */
export function reached({ value, ratio, target }: Figure): boolean | null {
  if (target === undefined) return null
  const measured = ratio ?? value
  return 'atLeast' in target ? measured >= target.atLeast : measured <= target.atMost
}
