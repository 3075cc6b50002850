import { type DistilLosses, distilLossDefaults } from '../train/distil/config.ts'
import { InputError, nearest } from '../util/errors.ts'

const names = Object.keys(distilLossDefaults) as (keyof DistilLosses)[]

/** Reads weights of losses, `name=weight` joined by commas. @throws InputError */
export function parseLosses(text: string): Partial<DistilLosses> {
  return Object.fromEntries(
    text.split(',').map((part) => {
      const [name = '', weight = '', ...rest] = part.trim().split('=')
      const known = names.some((other) => other === name)
      if (known && rest.length === 0 && /^\d+(\.\d+)?(e-?\d+)?$/i.test(weight)) return [name, Number(weight)]
      const guess = known ? undefined : nearest(name, names)
      throw new InputError({
        what: known ? 'the weight of a loss cannot be used' : `there is no loss "${name}"`,
        where: '--losses',
        got: part,
        expected: `name=weight, with a name of ${names.join(', ')} and a weight of 0 or more`,
        ...(guess !== undefined && { remedy: `did you mean "${guess}"?` }),
      })
    }),
  )
}
