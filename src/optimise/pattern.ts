// Tests of nodes that several rewrites share.

import type { Node, Value } from '../graph/graph.ts'

/** An attribute as a list of numbers; empty if it is none. Only the op's own file knows its type. */
export const numbers = (attr: unknown): readonly number[] => (Array.isArray(attr) ? attr : [])

/** The node that makes a value, if it is of this op. */
export const madeBy = (value: Value | undefined, op: string): Node | undefined =>
  value?.node.op.name === op ? value.node : undefined

/** A convolution of one group and no stride. */
export const isUnstridedConv = ({ op, attrs }: Node): boolean =>
  op.name === 'conv' && attrs.group === 1 && numbers(attrs.strides).every((step) => step === 1)

/** An ordinary convolution: one group, no stride, no dilation. */
export const isPlainConv = (node: Node): boolean =>
  isUnstridedConv(node) && numbers(node.attrs.dilations).every((step) => step === 1)
