/** A mean over numbers that come one by one. */
export class Mean {
  private sum = 0
  private numbers = 0

  add(number: number): void {
    this.sum += number
    this.numbers++
  }

  /** How many numbers there were. */
  get count(): number {
    return this.numbers
  }

  /** Not a number before the first one. */
  get value(): number {
    return this.sum / this.numbers
  }
}
