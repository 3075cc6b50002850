import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { writePicture } from '../src/media/picture.ts'
import { createVideoWriter } from '../src/media/video-out.ts'
import { puppetClip, stillPuppet } from '../src/synthetic/puppet/puppet.ts'
import { compile } from './support/compile.ts'

/** The README's quick start, as it stands there but for how long it trains. */
function quickStart(): string {
  const code = readFileSync('README.md', 'utf8').match(/<!-- quick start -->\n```ts\n([\s\S]*?)```/)?.[1]
  expect(code).toContain('minutes: 8')
  return code!.replace('minutes: 8', "steps: 1, batch: 1, device: 'cpu'")
}

test('the quick start in the README runs', { timeout: 240_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pantin-readme-'))
  const compiled = compile('src/index.ts')
  try {
    const writer = await createVideoWriter(join(folder, 'clip.mp4'), {
      width: 256,
      height: 256,
      frameRate: 25,
    })
    for await (const frame of puppetClip({ seed: 2, frames: 20, size: 256 }).frames())
      await writer.write(frame)
    await writer.close()
    await writePicture(join(folder, 'portrait.jpg'), stillPuppet({ seed: 2, size: 256 }))
    const script = join(folder, 'quick-start.mjs')
    writeFileSync(script, quickStart().replace("'pantin'", JSON.stringify(compiled.url('src/index.ts'))))

    const child = spawnSync(process.execPath, [script], { cwd: folder, encoding: 'utf8', timeout: 170_000 })
    expect(child.stderr).toBe('')
    expect(child.stdout.match(/Float32Array|\[/g)?.length).toBeGreaterThan(20)
    expect((await stat(join(folder, 'moved.mp4'))).size).toBeGreaterThan(1000)
  } finally {
    compiled.remove()
    rmSync(folder, { recursive: true, force: true })
  }
})
