// Numbers as people read them.

/** 1234567 is `1.23 M`. */
export function short(value: number): string {
  const units = ['', ' k', ' M', ' G', ' T']
  let unit = 0
  let rest = value
  while (Math.abs(rest) >= 1000 && unit < units.length - 1) {
    rest /= 1000
    unit++
  }
  return `${rest >= 100 || unit === 0 ? Math.round(rest) : rest.toPrecision(3)}${units[unit]}`
}

export const milliseconds = (value: number): string =>
  `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`

/** 75 is `1 min 15 s`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '-'
  const whole = Math.max(0, Math.round(seconds))
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  if (hours > 0) return `${hours} h ${minutes} min`
  return minutes > 0 ? `${minutes} min ${rest} s` : `${rest} s`
}

export const inPercent = (part: number): string => `${Math.round(100 * part)}%`

/** Losses and rates: three digits. */
export const digits = (value: number): string => (value === 0 ? '0' : value.toPrecision(3))

export const shapeText = (shape: readonly number[]): string => shape.join(' x ')
