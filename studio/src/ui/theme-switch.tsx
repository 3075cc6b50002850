// The button that changes the page's colours.
import { theme, themes } from '../core/theme.ts'

const marks = { system: '◐', light: '○', dark: '●' } as const

export function ThemeSwitch() {
  const next = themes[(themes.indexOf(theme.value) + 1) % themes.length]!
  return (
    <button
      type="button"
      class="plain theme"
      title={`Colours: ${theme.value}`}
      aria-label={`Colours: ${theme.value}; change to ${next}`}
      onClick={() => {
        theme.value = next
      }}
    >
      <span aria-hidden="true">{marks[theme.value]}</span>
    </button>
  )
}
