// The page's address: its fragment names the view that is shown and what is chosen in it. In another tab it shows the same.
import { batch, effect, signal } from '@preact/signals'
import { takeToken } from './token.ts'

export const routes = ['animate', 'train', 'compare', 'runs'] as const
export type Route = (typeof routes)[number]

export const titles: Readonly<Record<Route, string>> = {
  animate: 'Animate',
  train: 'Train',
  compare: 'Compare',
  runs: 'Runs',
}

export const route = signal<Route>(routeOf(location.hash))

/** A choice that stands in the address of its view. */
export interface AddressPart {
  /** The present choice as a text; undefined if it has a meaning in this tab alone, such as a file. */
  write(): string | undefined
  /** Makes the choice of a text. A text that means nothing is passed over: anybody may have written the address. */
  read(text: string): void
}

const parts: (AddressPart & { readonly view: Route; readonly name: string })[] = []

/** Puts a choice into the address of a view, as `name=text`. */
export function inAddress(view: Route, name: string, part: AddressPart): void {
  parts.push({ view, name, ...part })
}

/** The fragment of a view with the present choices. */
export function addressOf(view: Route): string {
  const words = parts.flatMap((part) => {
    const text = part.view === view ? part.write() : undefined
    return text === undefined ? [] : [`${part.name}=${encoded(text)}`]
  })
  return `#/${view}${words.length > 0 ? '?' : ''}${words.join('&')}`
}

const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/%(3A|2C)/g, (code) => decodeURIComponent(code))

/** Milliseconds after the last change at which the address is written: browsers limit how often. */
const rest = 150

/** Follows the address, and writes it as choices change. If it names no view, the first view is shown. */
export function startRouter(): void {
  let followed = location.hash
  const write = () => {
    // The address was changed, and its event is still to come: it must not be lost.
    if (location.hash !== followed) return
    const own = addressOf(route.peek())
    if (followed !== own) history.replaceState(null, '', own)
    followed = location.hash
  }
  const follow = () => {
    followed = location.hash
    // The page has the token now. It leaves the address, which is easily copied or shown to others.
    const hash = takeToken(location.hash) ?? location.hash
    const given = new URLSearchParams(hash.split('?')[1] ?? '')
    const next = routeOf(hash)
    // A view that is named alone stays as it is.
    batch(() => {
      for (const { view, name, read } of parts) {
        const text = view === next ? given.get(name) : null
        if (text !== null) read(text)
      }
      route.value = next
    })
    write()
    document.title = `${titles[next]} - pantin studio`
  }
  addEventListener('hashchange', follow)
  follow()
  let timer: ReturnType<typeof setTimeout> | undefined
  effect(() => {
    addressOf(route.value)
    clearTimeout(timer)
    timer = setTimeout(write, rest)
  })
}

export function go(to: Route): void {
  location.hash = `#/${to}`
}

function routeOf(hash: string): Route {
  const name = /^#\/([a-z]+)/.exec(hash)?.[1]
  return routes.find((known) => known === name) ?? 'animate'
}
