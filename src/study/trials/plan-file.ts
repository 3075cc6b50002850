import { contentFacts } from '../plan-contents.ts'
import { beginPlanned, type PlanKind } from '../plan-folder.ts'
import { planSchema, type TrialPlan } from './plan.ts'

/**
 * Folders of comparisons: plan.json, trials/, teacher/, and a lock. A plan may have more networks, skips, methods or
 * seeds than the one that is there, or fewer, for no trial depends on another; its settings, its videos and its teacher are the same.
 */
const comparison: PlanKind<TrialPlan> = {
  file: 'plan.json',
  noun: 'comparison',
  command: 'compare --train',
  schema: planSchema,
  parts: ['trials', 'teacher'],
  settings: ({ settings, contents }) => ({ ...settings, ...contentFacts(contents) }),
  remedy: 'replace it with --force, or choose another folder',
}

/** Makes the folder of a comparison, or takes up the one that is there, and locks it. @throws as `beginPlanned` */
export const beginPlan = (path: string, plan: TrialPlan, options: { readonly force?: boolean } = {}) =>
  beginPlanned(comparison, path, plan, options)
