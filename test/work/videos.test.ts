import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { readStudyPlan } from '../../src/study/trials/plan.ts'
import type { Runner } from '../../src/work/task.ts'
import { processVideos, type VideoSettings, type VideosOptions } from '../../src/work/videos.ts'
import { randomRun } from '../animate/support.ts'
import { runHere } from '../cli/run.ts'
import { compile } from '../support/compile.ts'
import { makeRun } from '../support/shared.ts'

const folder = mkdtempSync(join(tmpdir(), 'pantin-videos-'))
const run = join(folder, 'run')
beforeAll(() => makeRun(run))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('work on a folder', () => {
  const settings: VideoSettings = { work: 'track', run, format: 'json', overlay: false, device: 'cpu' }
  const done: string[] = []
  /** Does no work, and notes which videos it was given. */
  const runner: Runner = {
    ...{ lanes: 2, shares: false, width: () => 1 },
    async perform(_, config, place) {
      const { video } = config as unknown as { video: string }
      done.push(video)
      if (video.includes('crash')) throw new Error('the process ended')
      mkdirSync(place.folder, { recursive: true })
      const made = config as unknown as { settings: VideoSettings }
      const { settings } = made
      writeFileSync(join(place.folder, settings.work === 'animate' ? 'animation.mp4' : 'track.json'), video)
      if (settings.work === 'track' && settings.overlay)
        writeFileSync(join(place.folder, 'overlay.mp4'), video)
      const result = { status: 'done', frames: 1, seconds: 1, device: 'cpu', notices: [] }
      writeFileSync(join(place.folder, 'result.json'), JSON.stringify(result))
    },
  }
  const from = join(folder, 'many')
  const names = ['a.mp4', 'a.mov', 'crash.mp4']
  const videos = names.map((name) => join(from, name))
  const work = (out: string, force = false) => processVideos({ settings, from, videos, out, runner, force })
  beforeEach(() => {
    done.length = 0
    mkdirSync(from, { recursive: true })
    for (const name of names) writeFileSync(join(from, name), name)
  })

  it('goes on where it was, and does again what has changed or had no result', async () => {
    const out = join(folder, 'many-out')
    const rows = await work(out)
    expect(rows.map(({ status }) => status)).toEqual(['done', 'done', 'failed'])
    // Two videos of one name have two files.
    expect(rows.map((row) => row.out?.slice(out.length + 1))).toEqual(['a.mp4.json', 'a.mov.json', undefined])
    expect(done).toHaveLength(3)
    await work(out)
    expect(done.slice(3)).toEqual([videos[2]])
    writeFileSync(videos[1]!, 'another film')
    await work(out)
    expect(done.slice(4)).toEqual([videos[1], videos[2]])
    await work(out, true)
    expect(done.slice(6)).toHaveLength(3)
    await expect(
      processVideos({ settings: { ...settings, smooth: true }, from, videos, out, runner }),
    ).rejects.toThrow('another folder of results was begun here, with another smooth')
  })

  it('gives each video a file of its own', async () => {
    const same = ['a.mp4', 'a.mov', 'a.mov.mp4', 'A.MOV.webm'].map((name) => join(from, name))
    for (const video of same) writeFileSync(video, video)
    const out = join(folder, 'same-out')
    const rows = await processVideos({ settings, from, videos: same, out, runner })
    const files = rows.map((row) => row.out!)
    expect(new Set(files.map((file) => file.toLowerCase())).size).toBe(4)
    expect(files.map((file) => readFileSync(file, 'utf8'))).toEqual(same)
  })

  it('tries a video again that could not be read, and none whose content is no video', async () => {
    const [late, none] = ['late.mp4', 'none.mp4'].map((name) => join(from, name)) as [string, string]
    writeFileSync(none, 'no film')
    const given: string[] = []
    // Each video is a process, whose main file plain Node runs.
    const compiled = compile('src/work/videos.ts')
    const { videoKind }: typeof import('../../src/work/videos.ts') = await import(
      compiled.url('src/work/videos.ts')
    )
    const here: Runner = {
      ...runner,
      async perform(_, config, place, hooks) {
        const task = config as unknown as Parameters<typeof videoKind.perform>[0]
        given.push(task.video)
        await videoKind.perform({ ...task, ...place }, hooks)
      },
    }
    const track = () =>
      processVideos({ settings, from, videos: [late, none], out: join(folder, 'late-out'), runner: here })
    // A link to a disk that is not there, for instance.
    symlinkSync(join(folder, 'disk.mp4'), late)
    const first = await track()
    expect(first.map(({ status }) => status)).toEqual(['failed', 'failed'])
    expect(first[0]!.notes[0]).toMatch(/no such file/)
    expect(given).toHaveLength(2)
    given.length = 0
    await track()
    expect(given).toEqual([late])
    compiled.remove()
  })

  it('keeps the names of its own files for itself, so that a video of such a name is no plan', async () => {
    const own = ['videos.mp4', 'TASKS.mov', 'videos.mp4.webm', 'b.mp4'].map((name) => join(from, name))
    for (const video of own) writeFileSync(video, video)
    const out = join(folder, 'own-out')
    const track = () => processVideos({ settings, from, videos: own, out, runner })
    const names = (await track()).map((row) => row.out?.slice(out.length + 1))
    expect(names).toEqual(['videos.mp4.2.json', 'TASKS.mov.json', 'videos.mp4.json', 'b.json'])
    expect((await track()).map(({ status }) => status)).toEqual(Array(4).fill('done'))
    expect(done).toHaveLength(4)
  })

  it('goes on with the others if a name is too long for a file', async () => {
    const long = join(from, `${'x'.repeat(247)}.mp4`)
    const longest = join(from, `${'y'.repeat(251)}.mp4`)
    for (const video of [long, longest]) writeFileSync(video, video)
    const rows = await processVideos({
      ...{ settings, from, out: join(folder, 'long-out'), runner },
      videos: [longest, long, videos[0]!],
    })
    expect(rows.map(({ status }) => status)).toEqual(['failed', 'done', 'done'])
    expect(rows[0]!.notes[0]).toMatch(/the name is too long/)
  })

  it('belongs to one folder of videos', async () => {
    const out = join(folder, 'one-out')
    await work(out)
    const other = join(folder, 'other')
    mkdirSync(other)
    writeFileSync(join(other, 'a.mp4'), 'another day')
    const elsewhere = { settings, from: other, videos: [join(other, 'a.mp4')], out, runner }
    await expect(processVideos(elsewhere)).rejects.toThrow('with another folder of videos')
  })

  describe('that draws keypoints on the videos', () => {
    const drawn = { ...settings, overlay: true } as VideoSettings
    const draw = (name: string, overlay: string, more: Partial<VideosOptions> = {}) =>
      processVideos({
        ...{ settings: drawn, from, videos: videos.slice(0, 2), out: join(folder, name), overlay, runner },
        ...more,
      })

    it('never replaces a video, nor a file of somebody else', async () => {
      await expect(draw('d1', from)).rejects.toThrow('the folder of overlays is in the folder of videos')
      await expect(draw('d1', join(from, 'below'), { force: true })).rejects.toThrow(
        'is in the folder of videos',
      )
      const overlay = join(folder, 'mine')
      mkdirSync(overlay)
      writeFileSync(join(overlay, 'a.mp4.mp4'), 'precious')
      await expect(draw('d2', overlay)).rejects.toThrow(
        'a file of this name exists, and is not from this work',
      )
      const file = join(folder, 'file.mp4')
      writeFileSync(file, 'a file')
      await expect(draw('d3', file)).rejects.toThrow(/cannot be written: it exists already/)
      expect(names.map((name) => readFileSync(join(from, name), 'utf8'))).toEqual(names)
      expect(readFileSync(join(overlay, 'a.mp4.mp4'), 'utf8')).toBe('precious')
      expect(done).toEqual([])
      await draw('d2', overlay, { force: true })
      expect(readFileSync(join(overlay, 'a.mp4.mp4'), 'utf8')).toBe(videos[0])
    })

    it('draws again what is not there', async () => {
      const [one, two] = [join(folder, 'ov1'), join(folder, 'ov2')]
      await draw('d4', one)
      await draw('d4', one)
      expect(done).toHaveLength(2)
      await draw('d4', two)
      expect(readdirSync(two)).toHaveLength(2)
      rmSync(join(two, 'a.mp4.mp4'))
      await draw('d4', two)
      expect(existsSync(join(two, 'a.mp4.mp4'))).toBe(true)
      expect(done).toHaveLength(5)
    })
  })

  describe('that moves a picture', () => {
    const picture = join(folder, 'picture.png')
    const paint = (grey: number) =>
      sharp({ create: { width: 64, height: 64, channels: 3, background: { r: grey, g: 9, b: 9 } } })
        .png()
        .toFile(picture)
    const move = (more: object = {}) =>
      processVideos({
        settings: { work: 'animate', run, source: picture, device: 'cpu', ...more },
        ...{ from, videos: videos.slice(0, 2), out: join(folder, 'moved'), runner },
      })

    it('begins with a picture that can be used, and does not go on with another one', async () => {
      await expect(move()).rejects.toThrow(/picture.png/)
      await paint(20)
      await expect(move({ crop: 'face' })).rejects.toThrow(/face/)
      expect(done).toEqual([])
      expect((await move()).map(({ status }) => status)).toEqual(['done', 'done'])
      await paint(220)
      await expect(move()).rejects.toThrow('with another content of the picture')
    })

    it('refuses a run without a generator before it gives videos to anyone', async () => {
      await paint(20)
      const alone = await randomRun(join(folder, 'alone'), { generator: false })
      await expect(move({ run: alone })).rejects.toThrow(/alone: the run holds a detector alone/)
      const [out, store] = [join(folder, 'alone-out'), join(folder, 'alone-store')]
      const emitted = await runHere(
        ...['animate', alone, '--source', picture, '--driving', from, '--out', out],
        ...['--device', 'cpu', '--store', store, '--emit', 'slurm'],
      )
      expect(emitted).toMatchObject({ code: 2, stderr: expect.stringContaining('no generator') })
      expect(existsSync(out)).toBe(false)
      expect(done).toEqual([])
    })
  })
})

describe('a job for a cluster', () => {
  const videos = join(folder, 'for-a-job')
  const store = join(folder, 'store')
  beforeAll(() => {
    mkdirSync(videos)
    writeFileSync(join(videos, 'a.mp4'), 'a film')
  })
  const emit = (named: string, out: string) =>
    runHere('track', named, videos, '--out', out, '--store', store, '--emit', 'slurm')

  it('is not written where the command is refused', async () => {
    const foreign = join(folder, 'foreign')
    mkdirSync(foreign)
    for (const name of ['tasks.json', 'slurm.sh']) writeFileSync(join(foreign, name), 'mine')
    const refused = await emit(run, foreign)
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('not a folder of results') })
    expect(['tasks.json', 'slurm.sh'].map((name) => readFileSync(join(foreign, name), 'utf8'))).toEqual([
      'mine',
      'mine',
    ])
    const mistyped = await emit(join(folder, 'no-run'), join(folder, 'new'))
    expect(mistyped).toMatchObject({ code: 2, stderr: expect.stringContaining('no-run') })
    expect(existsSync(join(folder, 'new'))).toBe(false)
  })

  it('has whole paths, so that results can be gathered from any folder', async () => {
    const out = join(folder, 'filed')
    const here = (path: string) => relative(process.cwd(), path)
    const { code } = await runHere(
      ...['track', here(run), here(videos), '--out', here(out), '--store', store, '--emit', 'slurm'],
    )
    expect(code).toBe(0)
    const filed = JSON.parse(readFileSync(join(out, 'tasks.json'), 'utf8'))
    expect(filed.videos).toEqual({ from: videos, videos: [join(videos, 'a.mp4')] })
    const { settings } = JSON.parse(readFileSync(join(out, 'videos.json'), 'utf8'))
    expect(settings.run).toBe(run)
  })

  it('is gathered without the options of studies', async () => {
    const filed = JSON.parse(readFileSync(join(folder, 'filed', 'tasks.json'), 'utf8'))
    const file = join(folder, 'table')
    const options = [
      ['--csv', `${file}.csv`],
      ['--html', `${file}.html`],
      ['--no-latency'],
      ['--rounds', '3'],
    ]
    for (const words of options) {
      const { code, stderr } = await runHere('gather', join(folder, 'filed'), ...words)
      expect(code).toBe(2)
      expect(stderr).toContain(`${words[0]}: this option is for studies`)
    }
    const { stdout } = await runHere('gather', join(folder, 'filed'), '--json')
    expect(JSON.parse(stdout)).toMatchObject({ failed: filed.videos.videos.length })
  })

  it.each([['queue'], ['worker', '--drain'], ['gather', join(folder, 'filed')]])(
    'is not looked for in a store that is not there: %s',
    async (...words) => {
      const typo = join(folder, 'stroe')
      const { code, stderr, stdout } = await runHere(...words, '--store', typo)
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toMatch(/--store: there is no such store\n {2}got: .*stroe\n/)
      expect(existsSync(typo)).toBe(false)
    },
  )

  it('is not looked for in a queue whose address is not set', async () => {
    vi.stubEnv('REDIS_URL', undefined)
    const { code, stderr } = await runHere('queue', '--store', store, '--queue')
    vi.unstubAllEnvs()
    expect(code).toBe(2)
    expect(stderr).toContain('REDIS_URL is not set')
  })

  it('is reported without control characters of names', async () => {
    const odd = join(folder, 'odd')
    mkdirSync(odd)
    for (const name of ['a\x1b[2J\n\x9b.mp4', 'b.mp4']) writeFileSync(join(odd, name), 'a film')
    const out = join(folder, 'odd-out')
    const filed = await runHere('track', run, odd, '--out', out, '--store', store, '--emit', 'slurm')
    expect(filed.code, filed.stderr).toBe(0)
    const gathered = await runHere('gather', out)
    const told = await runHere('info', odd)
    for (const text of [gathered.stdout, told.stdout, told.stderr]) {
      expect(text).toContain('a\\x1b[2J')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
      expect(text).not.toMatch(/[\x1b\x9b]/)
    }
    expect(gathered.stdout).toContain('a\\x1b[2J\\x0a\\x9b.mp4')
    const { stdout } = await runHere('gather', out, '--json')
    expect(JSON.parse(stdout).videos[0].video).toBe('a\x1b[2J\n\x9b.mp4')
  })

  it('of a study has whole paths, too', async () => {
    const pictures = join(folder, 'pictures')
    mkdirSync(pictures)
    for (let i = 1; i <= 8; i++) {
      await sharp({ create: { width: 64, height: 64, channels: 3, background: { r: 30 * i, g: 9, b: 9 } } })
        .png()
        .toFile(join(pictures, `${i}.png`))
    }
    const out = join(folder, 'study')
    const { code, stderr } = await runHere(
      ...[
        'study',
        relative(process.cwd(), pictures),
        'puppet:1,frames=8,size=64',
        '--steps',
        '1',
        '--seeds',
        '1',
      ],
      ...['--nets', 'ficelle', '--out', out, '--store', store, '--emit', 'slurm', '--no-latency'],
    )
    expect(code, stderr).toBe(0)
    expect((await readStudyPlan(out))?.settings.clips).toEqual([pictures, 'puppet:1,frames=8,size=64'])
  })

  it('of a study replaces its own report, and no other file', async () => {
    const out = join(folder, 'study')
    const [own, foreign] = ['own.csv', 'foreign.csv'].map((name) => join(folder, name)) as [string, string]
    writeFileSync(foreign, 'mine')
    const gather = (csv: string) => runHere('gather', out, '--no-latency', '--csv', csv)
    // No worker has done it.
    for (let i = 0; i < 2; i++) expect((await gather(own)).code).toBe(1)
    expect(readFileSync(own, 'utf8')).toContain('ficelle')
    const study = ['study', 'puppet:1,frames=8,size=64', '--out', join(folder, 'new-study')]
    for (const made of [await gather(foreign), await runHere(...study, '--csv', foreign)]) {
      expect(made).toMatchObject({ code: 2, stdout: '' })
      expect(made.stderr).toContain(
        'foreign.csv: a file of this name exists, and is not a report of this study',
      )
    }
    expect(readFileSync(foreign, 'utf8')).toBe('mine')
    expect(existsSync(join(folder, 'new-study'))).toBe(false)
  })
})
