import { contentFacts } from '../plan-contents.ts'
import { beginPlanned, type PlanKind } from '../plan-folder.ts'
import { planSchema, type SearchPlan } from './plan.ts'

/** Folders of searches: search.json, candidates/, teacher/, best.json, and a lock. */
const search: PlanKind<SearchPlan> = {
  file: 'search.json',
  noun: 'search',
  command: 'search',
  schema: planSchema,
  parts: [],
  settings: ({ contents, ...plan }) => ({ ...plan, ...contentFacts(contents) }),
  remedy: 'or choose another folder',
}

/** Makes the folder of a search, or takes up the one that is there, and locks it. @throws as `beginPlanned` */
export const beginSearch = (path: string, plan: SearchPlan) => beginPlanned(search, path, plan)
