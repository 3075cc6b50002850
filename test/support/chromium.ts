import { findChromium } from '../../bench/src/browser-launch.ts'

/** Path of a Chromium, or undefined where there is none. */
export const chromium = ((): string | undefined => {
  try {
    return findChromium()
  } catch {
    return undefined
  }
})()

/** The reason to give where tests are skipped. */
export const withoutChromium = 'no Chromium here (Debian: apt install chromium)'
