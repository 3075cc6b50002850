// The view that is shown, by the address's fragment.
import { signal } from '@preact/signals'
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

/** Follows the address. If it names no view, the first view is shown. */
export function startRouter(): void {
  const follow = () => {
    const rest = takeToken(location.hash)
    // The page has the token now. It leaves the address, which is easily copied or shown to others.
    if (rest !== undefined) history.replaceState(null, '', rest)
    route.value = routeOf(location.hash)
    document.title = `${titles[route.value]} - pantin studio`
  }
  addEventListener('hashchange', follow)
  follow()
}

export function go(to: Route): void {
  location.hash = `#/${to}`
}

function routeOf(hash: string): Route {
  const name = /^#\/([a-z]+)/.exec(hash)?.[1]
  return routes.find((known) => known === name) ?? 'animate'
}
