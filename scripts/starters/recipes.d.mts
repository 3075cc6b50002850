/** Stages of the training of each starter: see recipes.mjs. */
export const recipes: Readonly<
  Record<
    string,
    readonly {
      readonly name: string
      readonly from?: string
      /** The starter's weights lie between the stage before (0) and this one (1). */
      readonly part?: number
      readonly clips: readonly string[]
      readonly options: Record<string, unknown> & {
        readonly model: object
        readonly tie: 'none' | 'face' | 'joints'
      }
    }[]
  >
>
