import { Refusal } from './refusal.ts'
import { makeToken } from './token.ts'

/** Milliseconds in which a browser must have come. */
const lifetime = 120_000

/**
 * Secrets that open the page once. A browser is started with one in its address, because other people on the machine
 * can read the arguments of its process, and would find the token there as long as it runs.
 */
export class Tickets {
  private readonly open = new Map<string, number>()

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
