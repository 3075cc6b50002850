// Numbers as people read them: as reports show them, and a few formats of the studio's own.
import { formatSeconds } from 'pantin/web'

/** 1234567 is `1.23 M`; a share of 0.5 is `50%`. */
export { formatScaled as short, percent as inPercent } from 'pantin/web'

export const milliseconds = (value: number): string =>
  `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`

/** 75 is `1 min 15 s`. */
export const duration = (seconds: number): string => (Number.isFinite(seconds) ? formatSeconds(seconds) : '-')

/** Losses and rates: three digits. */
export const digits = (value: number): string => (value === 0 ? '0' : value.toPrecision(3))

export const shapeText = (shape: readonly number[]): string => shape.join(' x ')

/** A text that begins with a capital letter. */
export const upperFirst = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
