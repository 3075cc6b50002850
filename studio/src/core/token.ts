// The token of the server that gave this page. A page on any other host has none.

const key = 'pantin.token'

let token = remembered()

export const currentToken = (): string | undefined => token

/**
 * Takes the token out of an address's fragment: `#token=T` or `#/runs?token=T`.
 *
 * @returns the fragment without the token; undefined if there is no token.
 */
export function takeToken(hash: string): string | undefined {
  const found = /[#?&]token=([\w-]+)/.exec(hash)
  if (found === null) return undefined
  token = found[1]!
  try {
    sessionStorage.setItem(key, token)
  } catch {
    // Without storage, the printed address must be opened again after a reload.
  }
  const route = /^#\/[a-z]+/.exec(hash)?.[0]
  return route ?? '#/animate'
}

function remembered(): string | undefined {
  try {
    return sessionStorage.getItem(key) ?? undefined
  } catch {
    return undefined
  }
}
