// A failure, in words for a person.
import { isPantinError } from 'pantin/web'

/** A failure, in words for a person. */
export interface Trouble {
  readonly what: string
  readonly details?: string
  /** What the person can do. */
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
  return {
    what: 'something went wrong',
    details,
    remedy: 'reload the page; everything that was saved is kept',
  }
}

/** The failure as one text. */
export function sentence({ what, details, remedy }: Trouble): string {
  return [what, details, remedy && `To do: ${remedy}`].filter(Boolean).join('. ')
}
