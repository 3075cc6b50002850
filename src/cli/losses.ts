// Reads the weights of losses from the command line.
import { distilLosses, type LossTable } from '../train/losses.ts'
import { InputError, nearest } from '../util/errors.ts'

/** Reads weights of losses, `name=weight` joined by commas. @throws InputError */
export function parseLosses(
  text: string,
  { names }: Pick<LossTable<never>, 'names'> = distilLosses,
): Record<string, number> {
  return Object.fromEntries(
    text.split(',').map((item) => {
      const [name = '', weight = '', ...others] = item.trim().split('=')
      const known = names.includes(name)
      if (known && others.length === 0 && /^\d+(\.\d+)?(e-?\d+)?$/i.test(weight))
        return [name, Number(weight)]
      const guess = known ? undefined : nearest(name, names)
      throw new InputError({
        what: known ? 'the weight of a loss cannot be used' : `there is no loss "${name}"`,
        where: '--losses',
        got: item,
        expected: `name=weight, with a name of ${names.join(', ')} and a weight of 0 or more`,
        ...(guess !== undefined && { remedy: `did you mean "${guess}"?` }),
      })
    }),
  )
}
