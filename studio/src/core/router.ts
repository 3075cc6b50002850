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

/** Follows the address. What is no view is the first one. */
export function startRouter(): void {
  const follow = () => {
    const rest = takeToken(location.hash)
    // The token is in the page now; an address is copied and shown too easily.
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
