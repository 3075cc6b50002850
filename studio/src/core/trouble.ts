import { isPantinError } from 'pantin/web'

/** What a person is told of a failure. */
export interface Trouble {
  readonly what: string
  readonly details?: string
  /** What to do. */
  readonly remedy?: string
}

export function troubleOf(error: unknown): Trouble {
  if (isPantinError(error)) {
    const { what, where, got, expected, remedy } = error.problem
    const details = [where, got && `got ${got}`, expected && `expected ${expected}`]
      .filter(Boolean)
      .join('; ')
    return { what, ...(details && { details }), ...(remedy && { remedy }) }
  }
  if (error instanceof Error && 'trouble' in error) return error.trouble as Trouble
  const details = error instanceof Error ? error.message : String(error)
  return { what: 'something went wrong', details, remedy: 'reload the page; what was saved is kept' }
}

/** A sentence of it. */
export function sentence({ what, details, remedy }: Trouble): string {
  return [what, details, remedy && `To do: ${remedy}`].filter(Boolean).join('. ')
}
