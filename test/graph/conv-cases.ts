// Cases of convolutions and transposed convolutions, for the table in op-cases.ts.

import type { Value } from '../../src/graph/graph.ts'
import * as g from '../../src/graph/ops/index.ts'
import type { OpCase } from './op-case.ts'

export const convCases = (transposed: boolean): OpCase[] => {
  const apply = (x: Value, w: Value, b: Value | undefined, o: g.ConvTransposeOptions) =>
    transposed ? g.convTranspose(x, w, b, o) : g.conv(x, w, b, o)
  return [
    {
      title: 'with bias and padding',
      inputs: [[2, 2, 5, 4], transposed ? [2, 3, 3, 3] : [3, 2, 3, 3], [3]],
      build: (x, w, b) => apply(x!, w!, b, { pads: [1, 1, 1, 1] }),
    },
    {
      title: 'stride 2, sizes that do not divide',
      inputs: [
        [1, 2, 6, 5],
        [2, 2, 3, 3],
      ],
      build: (x, w) =>
        apply(x!, w!, undefined, {
          strides: [2, 2],
          pads: [1, 1, 1, 1],
          ...(transposed && { outputPadding: [1, 0] as const }),
        }),
    },
    {
      title: 'an asymmetric kernel, dilated, with lopsided pads',
      inputs: [[1, 2, 7, 4], transposed ? [2, 2, 3, 1] : [2, 2, 3, 1]],
      build: (x, w) => apply(x!, w!, undefined, { dilations: [2, 1], pads: [2, 0, 1, 0] }),
    },
    {
      title: 'a dilation whose outer taps see only padding',
      inputs: [
        [2, 2, 4, 4],
        [2, 2, 3, 1],
      ],
      build: (x, w) =>
        transposed
          ? apply(x!, w!, undefined, { dilations: [2, 1], pads: [2, 0, 2, 0] })
          : apply(x!, w!, undefined, { dilations: [5, 1], pads: [5, 0, 5, 0] }),
    },
    {
      title: 'two groups',
      inputs: [
        [2, 4, 4, 4],
        [4, 2, 3, 3],
      ],
      build: (x, w) => apply(x!, w!, undefined, { group: 2, pads: [1, 1, 1, 1] }),
    },
    {
      title: 'depthwise, stride 2',
      inputs: [
        [1, 3, 5, 5],
        [3, 1, 3, 3],
      ],
      build: (x, w) => apply(x!, w!, undefined, { group: 3, strides: [2, 2], pads: [1, 1, 1, 1] }),
    },
    {
      title: 'depthwise, lopsided, dilated, on a map that is cut into strips',
      inputs: [
        [1, 2, 14, 19],
        [2, 1, 3, 2],
      ],
      build: (x, w) => apply(x!, w!, undefined, { group: 2, dilations: [2, 1], pads: [3, 1, 1, 0] }),
    },
  ]
}
