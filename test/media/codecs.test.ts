import { writeFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { openClip } from '../../src/clips/source.ts'
import { loadCodecs } from '../../src/media/codecs.ts'
import { createVideoWriter } from '../../src/media/video-out.ts'
import { EnvironmentError } from '../../src/util/errors.ts'
import { keepAlive } from '../../src/util/event-loop.ts'
import { expectFailure, scratch } from './support.ts'

vi.mock('@napi-rs/webcodecs', () => {
  throw new Error('Cannot find native binding')
})
const path = scratch()

test('without codecs, video fails with the package to install, and puppets still work', async () => {
  await expectFailure(
    loadCodecs,
    EnvironmentError,
    'codecs are not installed',
    'npm install @napi-rs/webcodecs',
  )
  const writing = () => createVideoWriter(path('x.mp4'), { width: 64, height: 64, frameRate: 25 })
  await expectFailure(writing, EnvironmentError, 'codecs are not installed')
  writeFileSync(path('y.mp4'), 'some bytes')
  await expectFailure(() => openClip(path('y.mp4')), EnvironmentError, 'codecs are not installed')
  for await (const frame of (await openClip('puppet:1,frames=1,size=32')).frames())
    expect(frame.width).toBe(32)
})

test('waiting for a codec holds the event loop, and only while it waits', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  const before = timers()
  let finish = () => {}
  const waiting = keepAlive(
    new Promise<void>((resolve) => {
      finish = resolve
    }),
  )
  expect(timers()).toBe(before + 1)
  finish()
  await waiting
  expect(timers()).toBe(before)
  await expect(keepAlive(Promise.reject(new Error('broken')))).rejects.toThrow('broken')
  expect(timers()).toBe(before)
})
