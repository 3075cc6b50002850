import type { Figure } from './figure.ts'
import { reached } from './figure.ts'

/** What was tried for figures that do not say so themselves, by how their names begin. */
const tried: readonly (readonly [RegExp, string])[] = [
  [
    /^step\..*\.time$/,
    'weight gradients tap by tap, fewer products and nodes, masks as products: docs/speed.md, "The training step"',
  ],
  [
    /^step\..*\.memory$/,
    'one vector each for weights, buffers and moments: docs/speed.md, "The training step"',
  ],
  [/^step\.lednet\.wasm$/, 'docs/speed.md'],
  [
    /^detector\.exact/,
    'filter as two products, jacobian after pooling, upsampling by sub-pixels, heads apart: docs/speed.md, "The keypoint detector at 256x256"',
  ],
  [
    /^detector\.light/,
    'means in place of the Gaussian, a search over designs: docs/speed.md, "Light", and docs/results.md',
  ],
]

/** The figure with what was tried, where its target is not reached. */
export function withTried(figure: Figure): Figure {
  if (figure.tried !== undefined || reached(figure) !== false) return figure
  const text = tried.find(([names]) => names.test(figure.name))?.[1]
  return text === undefined ? figure : { ...figure, tried: text }
}
