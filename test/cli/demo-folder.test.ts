import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { prepareFolder } from '../../src/cli/demo/demo.ts'
import { InputError } from '../../src/util/errors.ts'

let folder = ''
const at = (name: string) => join(folder, name)
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pantin-demo-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const refused = async (force: boolean, message: RegExp) => {
  const failed = prepareFolder(folder, force)
  await expect(failed).rejects.toThrow(InputError)
  await expect(failed).rejects.toThrow(message)
}

it('replaces an earlier demo with force alone, but not its run', async () => {
  for (const name of ['index.html', 'face.mp4', 'moved.mp4']) writeFileSync(at(name), '')
  mkdirSync(at('run'))
  await refused(false, /--force/)
  await prepareFolder(folder, true)
  expect(readdirSync(folder)).toEqual(['run'])
})

it('passes over what a killed demo and file managers leave', async () => {
  for (const name of ['.moved.123-0123456789ab.tmp.mp4', '.DS_Store']) writeFileSync(at(name), '')
  await prepareFolder(folder, false)
  writeFileSync(at('moved.mp4'), '')
  await prepareFolder(folder, true)
  expect(readdirSync(folder)).toEqual(['.DS_Store', '.moved.123-0123456789ab.tmp.mp4'])
})

it('touches nothing where something else is, a folder of a film’s name for instance', async () => {
  writeFileSync(at('sheet.png'), '')
  mkdirSync(at('moved.mp4'))
  await refused(true, /other things than a demo[\s\S]*moved\.mp4/)
  rmSync(at('moved.mp4'), { recursive: true })
  writeFileSync(at('thesis.txt'), '')
  await refused(true, /thesis\.txt/)
  expect(readdirSync(folder)).toEqual(['sheet.png', 'thesis.txt'])
})
