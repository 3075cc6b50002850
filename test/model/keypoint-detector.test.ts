// Which outputs of a session a keypoint detector takes, and which it refuses.
import { describe, expect, it } from 'vitest'
import { type OutputNames, SessionDetector } from '../../src/model/keypoint-detector.ts'
import type { PortType, Session } from '../../src/runtime/session.ts'
import { FormatError } from '../../src/util/errors.ts'

const names = { value: 'value', jacobian: 'jacobian', heatmap: 'heatmap', features: 'features' }

/** A detector of these outputs, which is never run. */
function detector(outputs: Record<string, PortType['shape']>, dtype: PortType['dtype'] = 'float32') {
  const ports = new Map(Object.entries(outputs).map(([name, shape]) => [name, { dtype, shape }]))
  const own = Object.fromEntries(Object.entries(names).filter(([name]) => ports.has(name)))
  const session = { inputs: new Map(), outputs: ports, device: 'cpu' } as unknown as Session
  return new SessionDetector(session, {
    ...{ path: 'other.onnx', size: 8, names: own as unknown as OutputNames },
    feed: () => ({}),
  })
}

describe('what an output is called', () => {
  it('is what it is held to', () => {
    const shapes = {
      value: [1, 5, 2],
      jacobian: ['batch', 5, 2, 2],
      heatmap: [1, 5, 8, 6],
      features: [1, 32, 4, 4],
    }
    expect(detector(shapes)).toMatchObject({
      ...{ keypoints: 5, jacobian: true },
      ...{ heatmap: [5, 8, 6], features: [32, 4, 4] },
    })
    expect(detector({ value: [1, 5, 2] })).toMatchObject({ jacobian: false, heatmap: undefined })
  })

  it.each<[string, Record<string, PortType['shape']>]>([
    ['keypoints with a score', { value: [1, 5, 3], jacobian: [1, 5, 2, 2] }],
    ['coordinates before keypoints', { value: [1, 2, 5] }],
    ['a flat list', { value: [1, 10] }],
    ['jacobians of other keypoints', { value: [1, 5, 2], jacobian: [1, 4, 2, 2] }],
    ['flat jacobians', { value: [1, 5, 2], jacobian: [1, 5, 4] }],
    ['heatmaps of other keypoints', { value: [1, 5, 2], heatmap: [1, 6, 8, 8] }],
    ['features without a place', { value: [1, 5, 2], features: [1, 32] }],
  ])('refuses %s', (_, shapes) => {
    expect(() => detector(shapes)).toThrow(FormatError)
    expect(() => detector(shapes)).toThrow(/other\.onnx, output \w+: .* not what its name says/)
  })

  it('refuses whole numbers, and sizes that are left open', () => {
    expect(() => detector({ value: [1, 5, 2] }, 'int64')).toThrow(/not what its name says/)
    expect(() => detector({ value: [1, 'K', 2] })).toThrow(/leaves the shape of an output open/)
  })
})
