import { randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { toBinary } from '@bufbuild/protobuf'
import sharp from 'sharp'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ownMark } from '../../src/files/lock.ts'
import { floats } from '../../src/graph/tensor.ts'
import { folderClip } from '../../src/media/picture-clips.ts'
import { readOnnxFile } from '../../src/model/onnx-file.ts'
import { ModelProtoSchema } from '../../src/onnx/generated/onnx_pb.ts'
import { FormatError, InputError } from '../../src/util/errors.ts'
import { openStore } from '../../src/work/open-store.ts'
import { parseQueue } from '../../src/work/queue.ts'
import { collect } from '../../src/work/remote.ts'
import { parseS3 } from '../../src/work/s3-store.ts'
import {
  canonical,
  hashOf,
  isKey,
  isSafePath,
  type Kind,
  readTask,
  type Store,
  taskText,
  threadsFor,
} from '../../src/work/task.ts'
import {
  downloadFiles,
  fetchInputs,
  keys,
  objectsOf,
  readManifest,
  Uploader,
  uploadFolder,
} from '../../src/work/transfer.ts'
import { type WorkerEvent, work } from '../../src/work/worker.ts'
import { node, model as onnxModel } from '../onnx/models.ts'
import { countingKind } from './counting.ts'

const kind = countingKind() as unknown as Kind

describe('cores of several tasks at a time', () => {
  afterEach(() => vi.unstubAllEnvs())

  it('are a share of the cores that PANTIN_THREADS allows', () => {
    vi.stubEnv('PANTIN_THREADS', '12')
    expect([1, 2, 5, 24].map(threadsFor)).toEqual([undefined, 6, 2, 1])
    vi.stubEnv('PANTIN_THREADS', 'many')
    expect(() => threadsFor(2)).toThrow(/PANTIN_THREADS cannot be used/)
  })
})
const config = { name: 'a', to: 1, ms: 0 }

describe('a task', () => {
  it('has an id that does not depend on the order of fields', () => {
    const other = { ms: 0, to: 1, name: 'a' }
    expect(taskText(kind, config, {})).toEqual(taskText(kind, other, {}))
    expect(taskText(kind, config, {}).id).not.toBe(taskText(kind, { ...config, to: 2 }, {}).id)
  })

  const made = (changes: object) => {
    const { text } = taskText(kind, config, {})
    const changed = canonical({ ...(JSON.parse(text) as object), ...changes })
    return { id: hashOf(changed), text: changed }
  }

  it.each<[string, object, string]>([
    ['of an unknown kind', { kind: 'shell' }, 'no such kind of task'],
    ['of another version', { version: '99.0.0' }, 'another version of pantin'],
    ['with a field that is none', { config: { ...config, to: 'many' } }, 'not that of a count'],
    ['with a file of the worker', { config: { ...config, file: '/etc/passwd' } }, 'not among its inputs'],
    ['with a path to a parent', { config: { ...config, file: '../secret' } }, 'not among its inputs'],
    ['with an inherited name', { config: { ...config, file: 'constructor' } }, 'not among its inputs'],
    ['that is no description', { config: 7 }, 'does not describe a task'],
  ])('%s is refused', (_, changes, message) => {
    const { id, text } = made(changes)
    expect(() => readTask(id, text, [kind])).toThrow(message)
  })

  it('is refused under an id that is not its own', () => {
    const { id } = made({})
    const { text } = made({ config: { ...config, to: 9 } })
    expect(() => readTask(id, text, [kind])).toThrow('not the text that its id stands for')
  })
})

describe('a worker', () => {
  let folder: string
  let store: Store
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pantin-hostile-'))
    store = await openStore(join(folder, 'store'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('refuses hostile tasks, says so, and does the others', async () => {
    const good = taskText(kind, config, {})
    const stranger = taskText({ ...kind, name: 'shell' }, config, {})
    const huge = { id: hashOf('huge'), text: '"' }
    for (const { id, text } of [good, huge, stranger]) await store.create(keys.task(id), text)
    truncateSync(join(folder, 'store', keys.task(huge.id)), 100 << 20)
    const events: WorkerEvent[] = []
    const report = await work({
      ...{ store, kinds: [kind], idle: 0, lease: 2, scratch: join(folder, 'scratch') },
      ...{ signal: new AbortController().signal, onNews: (event) => events.push(event) },
    })
    expect(report.done).toBe(1)
    const refused = events.flatMap((event) => (event.kind === 'refused' ? [event.reason] : []))
    expect(refused.toSorted()).toEqual([
      expect.stringContaining('the file is too large'),
      expect.stringContaining('no such kind of task'),
    ])
    expect(await store.has(keys.failure(huge.id))).toBe(true)
  })

  it('leaves the folder of a worker on another machine whose clock differs, and removes those of dead ones', async () => {
    const workers = join(folder, 'scratch', 'workers')
    const lockOf = (name: string) => join(workers, name, 'lock')
    const marks = {
      alive: { pid: 1, host: 'another-machine', born: '' },
      dead: { ...ownMark(), pid: 4194999 },
    }
    for (const [name, mark] of Object.entries(marks)) {
      mkdirSync(join(workers, name), { recursive: true })
      writeFileSync(lockOf(name), JSON.stringify(mark))
    }
    mkdirSync(join(workers, 'starting'))
    const past = Date.now() / 1000 - 600
    for (const path of [lockOf('alive'), join(workers, 'alive'), join(workers, 'starting')]) {
      utimesSync(path, past, past)
    }
    await work({
      ...{ store, kinds: [kind], idle: 0, lease: 2, scratch: join(folder, 'scratch') },
      signal: new AbortController().signal,
    })
    expect(readdirSync(workers).toSorted()).toEqual(['alive', 'starting'])
  })

  it('writes no file outside its folder, whatever a store says', async () => {
    for (const path of ['../out', '/etc/x', 'a/../../x', 'C:\\x', 'a\\b', '.', 'a//b', 'con.', '']) {
      expect(isSafePath(path), path).toBe(false)
    }
    for (const key of ['../a', '/a', 'a/../b', 'a//b', '', '.a', 'a/.b', 'a\\b'])
      expect(isKey(key), key).toBe(false)
    await expect(store.read('../store/x', 10)).rejects.toThrow('cannot stand in a store')
    const text = JSON.stringify({ files: [{ path: '../../x', hash: hashOf('x'), bytes: 1, key: 'a' }] })
    await store.write('results/one.json', text)
    await expect(readManifest(store, 'results/one.json')).rejects.toThrow('other content than it should')
    await store.write('results/two.json', text.replace('"key":"a"', '"content":"eA=="'))
    await expect(readManifest(store, 'results/two.json')).rejects.toThrow('other content than it should')
  })

  it('finds small files in the list of files of a task, large ones in objects, and takes neither if it was changed', async () => {
    const [from, to] = ['from', 'to'].map((name) => join(folder, name)) as [string, string]
    mkdirSync(from)
    const small = Buffer.from([0, 255, 10, 13, 128])
    const large = randomBytes(200_000)
    writeFileSync(join(from, 'small.bin'), small)
    writeFileSync(join(from, 'large.bin'), large)
    writeFileSync(join(from, 'empty'), '')
    for (const isOver of [true, false]) {
      const manifest = await uploadFolder(store, from, `files/${isOver}-`, { isOver })
      expect(objectsOf(manifest)).toHaveLength(1)
      await downloadFiles(store, manifest, to)
      expect(readFileSync(join(to, 'small.bin'))).toEqual(small)
      expect(readFileSync(join(to, 'large.bin'))).toEqual(large)
      expect(readFileSync(join(to, 'empty'))).toHaveLength(0)
      rmSync(to, { recursive: true })
      const text = JSON.stringify(manifest)
      await store.write('results/changed.json', text.replace(small.toString('base64'), 'AAAA'))
      const changed = await readManifest(store, 'results/changed.json')
      await expect(downloadFiles(store, changed!, to)).rejects.toThrow('other content than it should')
      expect(existsSync(join(to, 'small.bin'))).toBe(false)
    }
    // Many small files are large together.
    for (let i = 0; i < 30; i++) writeFileSync(join(from, `part-${i}`), randomBytes(60_000))
    const many = await uploadFolder(store, from, 'files/many-', { isOver: true })
    expect(objectsOf(many).length).toBeGreaterThan(10)
    expect(JSON.stringify(many).length).toBeLessThan(2_000_000)
  })

  it('takes inputs only with the content that the task says', async () => {
    const file = join(folder, 'clip.txt')
    writeFileSync(file, 'content')
    const inputs = await new Uploader(store).inputs([file, 'puppet:1'])
    expect(Object.keys(inputs)).toEqual([file])
    const paths = await fetchInputs(store, inputs, join(folder, 'home'))
    expect(paths[file]).toMatch(/^inputs\/[0-9a-f]{32}\/clip\.txt$/)
    await store.write(`inputs/${hashOf('content')}`, 'changed')
    await expect(fetchInputs(store, inputs, join(folder, 'another'))).rejects.toThrow('other content')
  })

  it('fetches an input again that was damaged where it lies', async () => {
    const file = join(folder, 'clip.txt')
    writeFileSync(file, 'content')
    const inputs = await new Uploader(store).inputs([file])
    const home = join(folder, 'home')
    const fetched = async () => join(home, (await fetchInputs(store, inputs, home))[file]!)
    const path = await fetched()
    // As a worker before this one left it, with all of its bytes or not; and while this one works.
    for (const [left, before] of [
      ['Content', true],
      ['cont', true],
      ['', false],
    ] as const) {
      if (before) {
        vi.resetModules()
        const { fetchInputs } = await import('../../src/work/transfer.ts')
        writeFileSync(path, left)
        expect(join(home, (await fetchInputs(store, inputs, home))[file]!)).toBe(path)
      } else {
        writeFileSync(path, left)
        expect(await fetched()).toBe(path)
      }
      expect(readFileSync(path, 'utf8')).toBe('content')
    }
    rmSync(path)
    await fetched()
    expect(readFileSync(path, 'utf8')).toBe('content')
    expect(readdirSync(join(home, 'inputs'))).toHaveLength(1)
  })

  it('finds the pictures of a folder that is a clip, all of them and in their order', async () => {
    const pictures = join(folder, 'prises.')
    mkdirSync(pictures)
    // Of these names, three have the same letters that every system takes.
    const names = ['a1.png', 'a10.avif', 'a2.png', 'à1.png', 'é1.png', 'é2.webp']
    for (const [i, name] of names.entries()) {
      const background = { r: 40 * i, g: 0, b: 0 }
      await sharp({ create: { width: 8, height: 8, channels: 3, background } }).toFile(join(pictures, name))
    }
    writeFileSync(join(pictures, 'notes.txt'), '1')
    const inputs = await new Uploader(store).inputs([pictures])
    const home = join(folder, 'home')
    const { [pictures]: top } = await fetchInputs(store, inputs, home)
    const coloursOf = async (of: string) => {
      const clip = await folderClip(of)
      const colours: number[] = []
      for await (const { data } of clip.frames()) colours.push(data[0]!)
      return colours
    }
    const colours = await coloursOf(join(home, top!))
    expect(colours).toEqual(await coloursOf(pictures))
    expect(new Set(colours).size).toBe(names.length)
  })

  it('finds the weights of an ONNX model that lie in a file beside it', async () => {
    const [model, data] = ['my teacher.onnx', 'w.data'].map((name) => join(folder, name)) as [string, string]
    const proto = onnxModel({
      inputs: { x: [1, 4] },
      tensors: { w: floats([0, 0, 0, 0], [4]) },
      nodes: [node('Add', ['x', 'w'], ['y'])],
    })
    const [weight] = proto.graph!.initializer
    const write = (location: string) => {
      Object.assign(weight!, { rawData: new Uint8Array(), dataLocation: 1 })
      weight!.externalData = [{ $typeName: 'onnx.StringStringEntryProto', key: 'location', value: location }]
      writeFileSync(model, toBinary(ModelProtoSchema, proto))
    }
    write('w.data')
    writeFileSync(data, Buffer.from(Float32Array.of(1, 2, 3, 4).buffer))
    const inputs = await new Uploader(store).inputs([model])
    const home = join(folder, 'home')
    const { [model]: path } = await fetchInputs(store, inputs, home)
    expect(path).toMatch(/my_teacher\.onnx$/)
    expect(await readOnnxFile(join(home, path!))).toEqual(await readOnnxFile(model))
    write('my weights')
    await expect(new Uploader(store).inputs([model])).rejects.toThrow(/"my weights"[\s\S]*another name/)
  })

  it('gets no folder that is neither a run nor a clip', async () => {
    const pictures = join(folder, 'pictures')
    mkdirSync(pictures)
    writeFileSync(join(pictures, 'one.png'), '')
    await expect(new Uploader(store).inputs([pictures])).rejects.toThrow(/neither a run nor one of numbered/)
  })

  it('copies no more bytes than were announced', async () => {
    const file = join(folder, 'clip.txt')
    writeFileSync(file, 'content')
    const inputs = await new Uploader(store).inputs([file])
    truncateSync(join(folder, 'store', 'inputs', hashOf('content')), 64 << 20)
    const home = join(folder, 'home')
    const fetching = fetchInputs(store, inputs, home)
    await expect(fetching).rejects.toThrow(FormatError)
    await expect(fetching).rejects.toThrow(/the object is too large[\s\S]*at most 7 bytes/)
    expect(readdirSync(join(home, 'inputs'))).toEqual([])
  })

  it('reads no configuration of a result that is far too large', async () => {
    const [from, out] = ['from', 'out'].map((name) => join(folder, name)) as [string, string]
    mkdirSync(from)
    writeFileSync(join(from, 'result.json'), '{}')
    writeFileSync(join(from, 'config.json'), `"inputs/${'0'.repeat(32)}/a"`)
    const task = { id: hashOf('task'), inputs: { 'my clip': '0'.repeat(64) } }
    const file = async () => {
      const manifest = await uploadFolder(store, from, 'files/a-', { isOver: true })
      await store.write(keys.result(task.id), JSON.stringify(manifest))
    }
    await file()
    await collect(store, task, 'result.json', out)
    expect(readFileSync(join(out, 'config.json'), 'utf8')).toBe('"my clip"')
    truncateSync(join(from, 'config.json'), 17 << 20)
    await file()
    await expect(collect(store, task, 'result.json', out)).rejects.toThrow(
      /config\.json: the file is too large/,
    )
    expect(await store.has(keys.result(task.id))).toBe(false)
  })

  it('follows no link in a folder that is a store', async () => {
    symlinkSync(folder, join(folder, 'store', 'outside'))
    const found: string[] = []
    for await (const { key } of store.list('outside/')) found.push(key)
    expect(found.filter((key) => key.includes('store'))).toEqual([])
  })
})

describe('addresses', () => {
  const secret = 'hunter2'
  it('are shown without passwords', () => {
    const { name, connection } = parseQueue(`rediss://me:${secret}@host:7000/2`, {})
    expect(name).toBe('rediss://host:7000/2')
    expect(connection).toMatchObject({ username: 'me', password: secret, db: 2, tls: { servername: 'host' } })
    expect(parseQueue('redis://host', { REDIS_PASSWORD: secret }).connection).toMatchObject({
      password: secret,
    })
  })

  it('take a password with a percent sign if it is written as in addresses', () => {
    expect(parseQueue('redis://me:50%25@host', {}).connection).toMatchObject({ password: '50%' })
    const read = () => parseQueue(`redis://me:50%${secret}@host`, {})
    expect(read).toThrow(InputError)
    expect(read).toThrow(/^(?!.*hunter2)--queue: the user or the password .* cannot be read.*REDIS_PASSWORD/s)
  })

  it.each([`http://me:${secret}@host`, `redis:/${secret}`, `redis://me:${secret}@host/base`, ''])(
    'that are none are not shown',
    (url) => {
      expect(() => parseQueue(url, {})).toThrow(/^--queue: this is not the address of a queue/)
      try {
        parseQueue(url, {})
      } catch (error) {
        expect(String(error)).not.toContain(secret)
      }
    },
  )

  it.each([`s3://key:${secret}@bucket`, 's3://bucket/../x', 's3://B'])('of a store are checked', (named) => {
    const env = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: secret }
    expect(() => parseS3(named, env)).toThrow(/^(?!.*hunter2)--store: this is not the address of a store/s)
    expect(parseS3('s3://bucket/a/b/', env)).toMatchObject({ bucket: 'bucket', prefix: 'a/b/' })
  })
})
