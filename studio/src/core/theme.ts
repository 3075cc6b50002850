// The page's colours: the system's, light or dark.
import { effect, signal } from '@preact/signals'
import { stored } from './stored.ts'

export const themes = ['system', 'light', 'dark'] as const
export type Theme = (typeof themes)[number]

export const theme = stored<Theme>('theme', 'system', themes)

/** Counts changes of colours, so that canvases are drawn again. */
export const repaint = signal(0)

export function startTheme(): void {
  effect(() => {
    document.documentElement.dataset.theme = theme.value
    repaint.value = repaint.peek() + 1
  })
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => repaint.value++)
}

/** A colour of the style sheet, such as `--ink`. */
export function colour(name: `--${string}`): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim()
}
