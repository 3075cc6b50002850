// Seeded random numbers whose whole state is four words.
import { InputError } from './errors.ts'

/** The whole state of a generator: four unsigned 32-bit words. It goes into checkpoints. */
export type RandomState = readonly [number, number, number, number]

/**
 * Seeded random numbers: sfc32 (Chris Doty-Humphrey, PractRand), seeded through splitmix32.
 *
 * The same seed gives the same sequence on every platform: only 32-bit integer arithmetic decides it.
 * `normal` goes through Math.log and Math.cos, whose last bit may differ between JavaScript engines.
 */
export class Random {
  private a = 0
  private b = 0
  private c = 0
  private d = 0

  /** @param seed a whole number; only its low 32 bits count. */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed)) {
      throw new InputError({
        what: 'a seed must be a whole number',
        got: String(seed),
        expected: '0 to 2^53',
      })
    }
    let word = seed >>> 0
    const next = () => {
      word = (word + 0x9e3779b9) >>> 0
      let z = word
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
      return (z ^ (z >>> 16)) >>> 0
    }
    this.state = [next(), next(), next(), 1]
    for (let i = 0; i < 12; i++) this.uint32()
  }

  /** The state, to continue the sequence later: `random.state = saved`. */
  get state(): RandomState {
    return [this.a >>> 0, this.b >>> 0, this.c >>> 0, this.d >>> 0]
  }

  /** Continues a saved sequence. */
  set state([a, b, c, d]: RandomState) {
    this.a = a | 0
    this.b = b | 0
    this.c = c | 0
    this.d = d | 0
  }

  /** Uniform over 0 to 2^32 - 1. */
  uint32(): number {
    const t = (this.a + this.b + this.d) | 0
    this.d = (this.d + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = (this.c << 21) | (this.c >>> 11)
    this.c = (this.c + t) | 0
    return t >>> 0
  }

  /** Uniform over [0, 1), with 32 random bits. */
  uniform(): number {
    return this.uint32() / 0x1_0000_0000
  }

  /** Uniform over [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.uniform()
  }

  /** Uniform whole number in 0 to below - 1. */
  integer(below: number): number {
    return Math.floor(this.uniform() * below)
  }

  /** One of `items`. */
  pick<T>(items: readonly T[]): T {
    return items[this.integer(items.length)]!
  }

  /** Standard normal (Box and Muller 1958; one value of the pair, so that the state is all there is). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()))
    return radius * Math.cos(2 * Math.PI * this.uniform())
  }

  /** A generator of its own for a part of the work, so that parts do not shift each other's numbers. */
  fork(): Random {
    const child = new Random(0)
    child.state = [this.uint32(), this.uint32(), this.uint32(), 1]
    for (let i = 0; i < 12; i++) child.uint32()
    return child
  }
}
