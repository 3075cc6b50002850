import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { compileCli } from '../cli/run.ts'
import { redisProgram, startRedis, type TestServer, withoutRedis } from '../support/servers.ts'

const cli = compileCli()
const [password, wrong] = ['hunter2-5e1f', 'swordfish-77aa']
let folder: string
let redis: TestServer
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pantin-secrets-'))
  redis = await startRedis('--requirepass', password)
})
afterEach(async () => {
  await redis.remove()
  rmSync(folder, { recursive: true, force: true })
})
afterAll(() => cli.remove())

const words = (secret: string) => [
  ...['--store', join(folder, 'store'), '--queue', `redis://:${secret}@127.0.0.1:${redis.port}`],
]

describe.skipIf(redisProgram === undefined)(
  `passwords ${redisProgram === undefined ? withoutRedis : ''}`,
  () => {
    it('are in no output, whether they are right or wrong', async () => {
      const right = await cli.run(['queue', ...words(password)])
      expect(right.code).toBe(0)
      const refused = await cli.run(['queue', ...words(wrong), '--json'])
      expect(refused.code).toBe(1)
      expect(refused.stdout).toContain('the queue does not answer')
      for (const { stdout, stderr } of [right, refused]) {
        for (const secret of [password, wrong]) expect(stdout + stderr).not.toContain(secret)
      }
    })

    it.skipIf(process.platform !== 'linux')(
      'are not in the list of processes, nor in the store',
      async () => {
        const scratch = ['--scratch', join(folder, 'scratch')]
        const worker = spawn(process.execPath, [cli.main, 'worker', ...words(password), ...scratch])
        let said = ''
        try {
          await new Promise<void>((resolve) => {
            worker.stderr.on('data', (data: Buffer) => {
              said += data
              if (said.includes('takes tasks from')) resolve()
            })
          })
          expect(readFileSync(`/proc/${worker.pid}/cmdline`, 'utf8')).not.toContain(password)
          for (const name of readdirSync(join(folder, 'store'), { recursive: true, encoding: 'utf8' })) {
            const path = join(folder, 'store', name)
            if (statSync(path).isFile()) expect(readFileSync(path, 'utf8')).not.toContain(password)
          }
        } finally {
          const gone = new Promise((resolve) => worker.once('exit', resolve))
          worker.kill('SIGTERM')
          await gone
        }
        expect(said).not.toContain(password)
      },
    )
  },
)
