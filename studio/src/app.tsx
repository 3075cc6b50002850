// The page's frame: navigation, the device menu, and one view.
import { useEffect, useRef } from 'preact/hooks'
import { AnimateView } from './animate/view.tsx'
import { CompareView } from './compare/view.tsx'
import { addressOf, type Route, route, routes, titles } from './core/router.ts'
import { RunsView } from './runs/view.tsx'
import { job } from './train/job.ts'
import { TrainView } from './train/view.tsx'
import { DeviceMenu } from './ui/device-menu.tsx'
import { Logo } from './ui/logo.tsx'
import { Messages } from './ui/messages.tsx'
import { ThemeSwitch } from './ui/theme-switch.tsx'

const views: Readonly<Record<Route, () => preact.JSX.Element>> = {
  animate: AnimateView,
  train: TrainView,
  compare: CompareView,
  runs: RunsView,
}

export function App() {
  const main = useRef<HTMLElement>(null)
  const shown = useRef(route.value)
  const View = views[route.value]
  useEffect(() => {
    // A new view is read from its beginning. The first view leaves the focus where the browser puts it.
    if (shown.current !== route.value) main.current?.focus({ preventScroll: true })
    shown.current = route.value
    scrollTo(0, 0)
  }, [route.value])
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the view
      </button>
      <header class="top">
        <Brand />
        <nav aria-label="Views">
          {routes.map((name) => (
            <ViewLink key={name} name={name} />
          ))}
        </nav>
        <div class="tools">
          <DeviceMenu />
          <ThemeSwitch />
        </div>
      </header>
      <main id="main" tabIndex={-1} ref={main}>
        <View key={route.value} />
      </main>
      <footer class="foot">Everything is computed on this machine. No frame leaves it.</footer>
      <Messages />
    </>
  )
}

function Brand() {
  return (
    <a class="brand" href={addressOf('animate')} aria-label="pantin studio">
      <Logo />
      <span>pantin</span>
    </a>
  )
}

/** A link to a view as it is now, so that another tab shows the same. */
function ViewLink({ name }: { readonly name: Route }) {
  return (
    <a href={addressOf(name)} aria-current={route.value === name ? 'page' : undefined}>
      {titles[name]}
      {name === 'train' && job.value?.state === 'training' && (
        <span class="brad live">
          <span class="unseen"> (training now)</span>
        </span>
      )}
    </a>
  )
}
