// HDR pictures as SDR: HLG and PQ of BT.2020 to BT.709 (ITU-R BT.2100).

/** Transfer functions of HDR. */
export type HdrTransfer = 'hlg' | 'pq'

/**
 * cd/m2 of diffuse white, which becomes the white of SDR. BT.2408 has 203, which phones keep. Converted films often have the
 * 100 of SDR. Nothing in a file tells, so that this lies between them.
 */
const white = 130
/** cd/m2 of a display for which HLG is graded, and the highest light that is kept apart. */
const peak = 1000

/** Lights below this part of white stay as they are; lights above it are pressed together. */
const knee = 0.8

/** Linear BT.2020 to linear BT.709 (BT.2087). */
const toBt709 = [1.6605, -0.5876, -0.0728, -0.1246, 1.1329, -0.0083, -0.0182, -0.1006, 1.1187] as const

/** Steps of the table from linear light to BT.709 levels. */
const steps = 4096

/**
 * Maps pixels in place.
 *
 * @param rgb [.., 3], HLG or PQ levels of BT.2020; becomes BT.709.
 */
export function toneMap(rgb: Uint8Array, transfer: HdrTransfer): void {
  lights[transfer] ??= lightTable(transfer)
  const light = lights[transfer]
  const level = (value: number) => levels[Math.min(steps, Math.max(0, Math.round(value * steps)))]!
  for (let i = 0; i < rgb.length; i += 3) {
    const [r, g, b] = [light[rgb[i]!]!, light[rgb[i + 1]!]!, light[rgb[i + 2]!]!]
    let red = toBt709[0] * r + toBt709[1] * g + toBt709[2] * b
    let green = toBt709[3] * r + toBt709[4] * g + toBt709[5] * b
    let blue = toBt709[6] * r + toBt709[7] * g + toBt709[8] * b
    const most = Math.max(red, green, blue)
    if (most > knee) {
      const scale = press(most) / most
      red *= scale
      green *= scale
      blue *= scale
    }
    rgb[i] = level(red)
    rgb[i + 1] = level(green)
    rgb[i + 2] = level(blue)
  }
}

/** From `knee` to 1 for lights up to `peak`, with the slope 1 at the knee. */
function press(light: number): number {
  const room = 1 - knee
  const over = (light - knee) / room
  const most = (peak / white - knee) / room
  // Reinhard's curve, which reaches 1 at the peak.
  return Math.min(1, knee + (room * over * (1 + over / (most * most))) / (1 + over))
}

const lights: Partial<Record<HdrTransfer, Float64Array>> = {}

/** Linear light by level, as parts of white. */
function lightTable(transfer: HdrTransfer): Float64Array {
  const of = transfer === 'hlg' ? hlgLight : pqLight
  return Float64Array.from({ length: 256 }, (_, level) => of(level / 255))
}

/** The display's gamma is taken for each channel by itself, as FFmpeg does. */
function hlgLight(signal: number): number {
  const [a, b, c] = [0.17883277, 0.28466892, 0.55991073]
  const scene = signal <= 0.5 ? signal ** 2 / 3 : (Math.exp((signal - c) / a) + b) / 12
  return (peak / white) * scene ** 1.2
}

function pqLight(signal: number): number {
  const [m1, m2] = [2610 / 16384, (2523 / 4096) * 128]
  const [c1, c2, c3] = [3424 / 4096, (2413 / 4096) * 32, (2392 / 4096) * 32]
  const power = signal ** (1 / m2)
  return (10_000 / white) * (Math.max(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
}

/** Levels of a BT.1886 display, which BT.709 is graded for. */
const levels = Uint8Array.from({ length: steps + 1 }, (_, i) => Math.round(255 * (i / steps) ** (1 / 2.4)))
