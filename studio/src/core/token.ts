// The token of the server that gave this page, and how a new tab gets it from the others. A page on any other host has none.
import { signal } from '@preact/signals'

const key = 'pantin.token'

/** The token; undefined as long as this page has none. */
export const token = signal<string | undefined>(remembered())

export const currentToken = (): string | undefined => token.peek()

function keep(found: string): void {
  token.value = found
  try {
    sessionStorage.setItem(key, found)
  } catch {
    // Without storage, a reload asks the other tabs.
  }
}

/**
 * Takes the token out of an address's fragment: `#token=T` or `#/runs?token=T`.
 *
 * @returns the fragment without the token; undefined if there is no token.
 */
export function takeToken(hash: string): string | undefined {
  const found = /[#?&]token=([\w-]+)/.exec(hash)
  if (found === null) return undefined
  keep(found[1]!)
  return hash.replace(/(?<=[#?&])token=[\w-]+&?/, '').replace(/[#?&]$/, '')
}

function remembered(): string | undefined {
  try {
    return sessionStorage.getItem(key) ?? undefined
  } catch {
    return undefined
  }
}

/** What tabs say to each other: a question, or the token. Only pages of this server, at this port, hear it. */
type Word = 'token?' | { readonly token: string }

/** Milliseconds in which another tab answers. */
const patience = 500

/**
 * Answers other tabs, and asks them for the token if this tab has none: it was opened by Ctrl and a click, or by an address
 * without a token. The token stays in the memory of tabs: a cookie would be sent to other servers of this machine too,
 * because cookies do not know ports.
 *
 * @param isRight whether the server takes a token: a tab that stayed open has that of a server that has ended
 * @returns when this tab has a token, or no other tab has one
 */
export async function shareToken(isRight: (token: string) => Promise<boolean>): Promise<void> {
  const others = new BroadcastChannel(key)
  others.onmessage = ({ data }: MessageEvent<Word>) => {
    const own = token.peek()
    if (data === 'token?' && own !== undefined) others.postMessage({ token: own } satisfies Word)
  }
  await new Promise<void>((resolve) => {
    // The address of this page may have had it.
    token.subscribe((own) => own !== undefined && resolve())
    if (token.peek() !== undefined) return
    others.addEventListener('message', async ({ data }: MessageEvent<Word>) => {
      if (data === 'token?' || token.peek() !== undefined || !(await isRight(data.token))) return
      keep(data.token)
    })
    others.postMessage('token?' satisfies Word)
    setTimeout(resolve, patience)
  })
}
