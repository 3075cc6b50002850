import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** The header that carries the token. Pages of other origins cannot send it without being asked first. */
export const tokenHeader = 'x-pantin-token'

/** A secret of 256 random bits, in characters that need no encoding in an address. */
export const makeToken = (): string => randomBytes(32).toString('base64url')

/** Whether a token is the right one, in a time that says nothing of how much of it is. */
export function isToken(given: string | undefined, expected: string): boolean {
  return given !== undefined && timingSafeEqual(digest(given), digest(expected))
}

/** Of equal length for tokens of any length. */
const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
