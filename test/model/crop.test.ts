// How the clips of a run are cropped by later commands: as it records, or as runs were before there was a choice.
import { expect, it } from 'vitest'
import { animatedRunSchema, modelOf } from '../../src/model/loaded-run.ts'
import { smallConfig } from '../../src/motion/config.ts'
import { resolveConfig } from '../../src/train/config.ts'

const model = smallConfig({ net: 'ficelle', size: 64, keypoints: 3 })
const cropOf = (training?: object) => modelOf(animatedRunSchema.parse({ model, training }), 'run').crop

it('is what the run records', () => {
  expect(cropOf({ crop: 'face' })).toBe('face')
  expect(cropOf({ crop: 'motion', clips: ['head:1'] })).toBe('motion')
})

it('is another face if the run records a square of its own clips', () => {
  expect(cropOf({ crop: '1,2,80,80' })).toBe('auto')
})

it('is what moves for older runs, and a face for those that know heads alone', () => {
  expect(cropOf()).toBe('motion')
  expect(cropOf({ clips: ['me.mp4', 'head:1'] })).toBe('motion')
  expect(cropOf({ clips: ['head:1', 'head:2,size=128'] })).toBe('auto')
})

it('is recorded by new runs', () => {
  expect(resolveConfig(['me.mp4'], { out: 'x' }).training.crop).toBe('auto')
  expect(resolveConfig(['me.mp4'], { out: 'x', crop: '1,2,80,80' }).training.crop).toBe('1,2,80,80')
  expect(() => resolveConfig(['me.mp4'], { out: 'x', crop: '1,2,80,90' })).toThrow(/networks see squares/)
})
