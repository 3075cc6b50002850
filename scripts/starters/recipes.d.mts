/** Stages of the training of each starter: see recipes.mjs. */
export const recipes: Readonly<
  Record<
    string,
    readonly {
      readonly name: string
      readonly from?: string
      readonly clips: readonly string[]
      readonly options: Record<string, unknown> & {
        readonly model: object
        readonly tie: 'none' | 'face' | 'joints'
      }
    }[]
  >
>
