/** What one check found. */
export interface Finding {
  readonly name: string
  /** `warn`: something is left out, and the rest works. `fail`: pantin cannot do its work. */
  readonly status: 'ok' | 'warn' | 'fail'
  readonly found: string
  /** What to do, where not all is well. */
  readonly remedy?: string
}
