import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bestMatch, type CheckpointTensor, type StateDict } from '../../src/convert/checkpoint.ts'
import { floats, type Shape } from '../../src/graph/tensor.ts'

const tensor = (shape: Shape): CheckpointTensor => ({ shape, read: async () => floats([], shape) })
const state = (entries: Readonly<Record<string, Shape>>): StateDict =>
  new Map(Object.entries(entries).map(([name, shape]) => [name, tensor(shape)]))

const wanted = [
  { name: 'encoder.layers.0.conv.weight', shape: [8, 3, 3, 3] },
  { name: 'encoder.layers.1.conv.weight', shape: [8, 8, 3, 3] },
  { name: 'decoder.layers.0.conv.weight', shape: [8, 8, 3, 3] },
  { name: 'decoder.layers.1.conv.weight', shape: [5, 8, 3, 3] },
]
const whole = Object.fromEntries(wanted.map(({ name, shape }) => [name, shape]))
const prefixed = (prefix: string, of = whole) =>
  state(Object.fromEntries(Object.entries(of).map(([name, shape]) => [prefix + name, shape])))

describe('bestMatch', () => {
  it.each(['', 'module.', 'module.module.', 'net.model.'])('takes off the beginning "%s"', (prefix) => {
    const match = bestMatch(new Map([['state_dict', prefixed(prefix)]]), wanted)!
    expect(match.renaming).toEqual({ strip: prefix, prepend: '' })
    expect([...match.found.keys()]).toEqual(wanted.map(({ name }) => name))
    expect(match.left).toEqual([])
  })

  it('finds an encoder alone, within a classifier or on its own', () => {
    const encoder = { 'layers.0.conv.weight': [8, 3, 3, 3], 'layers.1.conv.weight': [8, 8, 3, 3] }
    for (const prefix of ['', 'module.features.encoder.']) {
      const match = bestMatch(new Map([['', prefixed(prefix, encoder)]]), wanted)!
      expect([...match.found.keys()]).toEqual(wanted.slice(0, 2).map(({ name }) => name))
      expect(match.missing.map(({ name }) => name)).toEqual(wanted.slice(2).map(({ name }) => name))
    }
  })

  it('prefers the dictionary in which more fits', () => {
    const half = state({ 'encoder.layers.0.conv.weight': [8, 3, 3, 3] })
    const match = bestMatch(
      new Map([
        ['ema', half],
        ['model', prefixed('')],
      ]),
      wanted,
    )
    expect(match!.path).toBe('model')
  })

  it('takes weights before their averages, whatever the order in the file is, and names the others', () => {
    const places = [
      ['state_dict', prefixed('module.')],
      ['state_dict_ema', prefixed('module.')],
      ['shadow', prefixed('')],
      ['optimizer', state({ 'x.conv.weight': [8, 3, 3, 3] })],
    ] as const
    for (const order of [places, places.toReversed()]) {
      const states = new Map(order)
      const match = bestMatch(states, wanted)!
      expect(match.path).toBe('state_dict')
      expect(match.others).toEqual(['shadow', 'state_dict_ema / module'])
      for (const from of ['state_dict_ema', 'state_dict_ema / module', 'state_dict_ema.module']) {
        const other = bestMatch(states, wanted, from)!
        expect([other.path, other.others]).toEqual(['state_dict_ema', ['state_dict / module', 'shadow']])
      }
      expect(bestMatch(states, wanted, 'state')).toBeUndefined()
    }
  })

  it('finds averages in the same dictionary, and no dictionary twice', () => {
    const both = new Map([...prefixed('model_ema.'), ...prefixed('model.')])
    const states = new Map([
      ['a', both],
      ['b', both],
    ])
    const match = bestMatch(states, wanted)!
    expect([match.path, match.renaming.strip, match.others]).toEqual([
      'a',
      'model.',
      ['a / model_ema', 'b / model_ema'],
    ])
    expect(bestMatch(states, wanted, 'model_ema')!.renaming.strip).toBe('model_ema.')
  })

  it('tells other shapes from missing names, and names what is left', () => {
    const other = { ...whole, 'decoder.layers.1.conv.weight': [9, 8, 3, 3], 'fc.weight': [10, 8], n: [1] }
    const match = bestMatch(new Map([['', state({ ...other, 'bn.num_batches_tracked': [] })]]), wanted)!
    expect(match.misshapen).toEqual([{ ...wanted[3], got: [9, 8, 3, 3] }])
    expect(match.missing).toEqual([])
    expect(match.left).toEqual(['fc.weight', 'n'])
  })

  it('finds nothing where no name fits in its shape', () => {
    expect(bestMatch(new Map([['', state({ 'conv.weight': [1, 1, 1, 1] })]]), wanted)).toBeUndefined()
    expect(bestMatch(new Map(), wanted)).toBeUndefined()
  })

  it('never cuts a part of a name', () => {
    const glued = state({ 'xencoder.layers.0.conv.weight': [8, 3, 3, 3] })
    const match = bestMatch(new Map([['', glued]]), wanted)!
    expect(match.renaming).toEqual({ strip: 'xencoder.', prepend: 'encoder.' })
  })

  it('takes any names, and never gives one tensor two places', () => {
    const name = fc.array(fc.constantFrom('a', 'encoder', 'layers', '0', 'conv', 'weight', '__proto__', ''), {
      maxLength: 20,
    })
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, fc.constantFrom(...wanted.map(({ shape }) => shape)))),
        (entries) => {
          const theirs = new Map(entries.map(([parts, shape]) => [parts.join('.'), tensor(shape)]))
          const match = bestMatch(new Map([['', theirs]]), wanted)
          const taken = [...(match?.found.values() ?? [])]
          expect(new Set(taken).size).toBe(taken.length)
        },
      ),
    )
  })
})
