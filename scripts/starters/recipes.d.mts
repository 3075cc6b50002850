/** Stages of the training of each starter: see recipes.mjs. */
export const recipes: Readonly<
  Record<
    string,
    readonly {
      readonly name: string
      readonly from?: string
      /** If it begins with more keypoints than `from` ends with: what they are tied to. */
      readonly widened?: 'head' | 'gaze'
      /** The starter's weights lie between the stage before (0) and this one (1): see mean.mjs. */
      readonly part?: number | string
      /** Keypoints, first and last, of which the mean has what this stage has learned. */
      readonly fresh?: string
      /** Afterwards the inside of mouths is painted: see paint-mouth.mjs. */
      readonly painted?: boolean
      /** Afterwards dense motion sees this many mixtures of its channels: see mix.mjs. */
      readonly mixed?: number
      readonly clips: readonly string[]
      readonly options: Record<string, unknown> & {
        readonly model: object
        readonly tie: 'none' | 'face' | 'head' | 'gaze' | 'joints'
      }
    }[]
  >
>
