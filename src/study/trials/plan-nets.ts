import { createHash } from 'node:crypto'
import { simplify } from '../../graph/ops/index.ts'
import { smallConfig } from '../../motion/config.ts'
import { detectorGraph } from '../../motion/model.ts'
import { toOnnx } from '../../onnx/export.ts'
import { InputError } from '../../util/errors.ts'
import { netNames } from '../../zoo/registry.ts'
import { reasonOf } from '../candidates.ts'
import { detectorChoices, type Trial, type TrialPlan, type TrialSettings } from './plan.ts'

/**
 * Networks that can be tried with these settings.
 *
 * @param named networks that must be among them; all of the zoo where undefined, less those that cannot.
 * @throws InputError for a named network that is unknown or cannot be tried.
 */
export function usableNets(
  named: readonly string[] | undefined,
  settings: TrialSettings,
  skips: readonly Trial['skip'][],
): Pick<TrialPlan, 'nets' | 'skipped'> {
  const nets: TrialPlan['nets'] = []
  const skipped: TrialPlan['skipped'] = []
  let first: InputError | undefined
  for (const name of new Set(named ?? netNames)) {
    try {
      for (const skip of skips) smallConfig({ net: name, ...detectorChoices(settings, skip) })
      nets.push(...netNames.filter((known) => known === name))
    } catch (error) {
      // An unknown name ends here too.
      if (!(error instanceof InputError) || named !== undefined) throw error
      first ??= error
      skipped.push({ net: name, reason: reasonOf(error) })
    }
  }
  if (nets.length === 0) throw first!
  return { nets, skipped }
}

/** Skips that change nothing about a network's detector: some networks join their maps themselves. */
export function alikeSkips(
  nets: readonly Trial['net'][],
  settings: TrialSettings,
  skips: readonly Trial['skip'][],
): TrialPlan['alike'] {
  if (skips.length < 2) return []
  return nets.flatMap((net) => {
    const seen = new Map<string, Trial['skip']>()
    return skips.flatMap((skip) => {
      const graph = detectorGraph(smallConfig({ net, ...detectorChoices(settings, skip) }))
      const bytes = toOnnx(simplify(graph), { feedParameters: true })
      const content = createHash('sha256').update(bytes).digest('hex')
      const as = seen.get(content)
      if (as === undefined) seen.set(content, skip)
      return as === undefined ? [] : [{ net, skip, as }]
    })
  })
}
