// The secrets that open the server: the token of the API, and tickets that open the page once.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { TokenHeader } from '../web/studio-api.ts'
import { Refusal } from './refusal.ts'

/** The header that carries the token. A page of another origin cannot send it without the server's consent. */
export const tokenHeader: TokenHeader = 'x-pantin-token'

/** A secret of 256 random bits, in characters that need no encoding in an address. */
export const makeToken = (): string => randomBytes(32).toString('base64url')

/** Whether a token is the right one. The time that it takes says nothing of how much of the token is right. */
export function isToken(given: string | undefined, expected: string): boolean {
  return given !== undefined && timingSafeEqual(digest(given), digest(expected))
}

/** Of equal length for tokens of any length. */
const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Milliseconds within which the browser must use its ticket. */
const lifetime = 120_000

/**
 * Secrets that open the page once. The command starts a browser with a ticket in its address and not with the token:
 * other users of the machine can read the arguments of a process as long as it runs.
 */
export class Tickets {
  private readonly open = new Map<string, number>()

  /** A new ticket, good for two minutes. */
  issue(): string {
    const ticket = makeToken()
    this.open.set(ticket, Date.now() + lifetime)
    return ticket
  }

  /** Uses a ticket up. @throws Refusal (410) for one that was used, is too old or was never issued. */
  redeem(ticket: string): void {
    const until = this.open.get(ticket) ?? 0
    this.open.delete(ticket)
    if (Date.now() <= until) return
    throw new Refusal(410, {
      what: 'this address opens the studio once, and was used or is too old',
      remedy:
        'open the address that pantin studio printed; if it was not you who used this one, restart pantin studio',
    })
  }
}
