/** Something that could not be measured here, and why. */
export interface LeftOut {
  readonly name: string
  readonly why: string
}
