import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { createProgram } from '../../src/cli/program.ts'
import { commandOf, pageCodeOf, type Scene } from '../../studio/src/animate/code.ts'

/** What the studio copies: a command that the program takes, and code that compiles. */

const square = { left: 3, top: 4.5, side: 100 }
const smoothing = { minCutoff: 1.5, beta: 0.3 }
const names = ['me.jpg', "it's me & you.jpg", '-rf "$HOME" `x` \\ 100%.png', '人.webp']
const pictures: Scene['picture'][] = [
  { kind: 'synthetic', name: 'head:100015,frames=1,size=256' },
  ...names.map((name) => ({ kind: 'file', name }) as const),
  { kind: 'file', name: 'framed.jpg', square },
  { kind: 'film', name: "it's a film.webm" },
  { kind: 'film', name: 'framed.mp4', square },
]
const pose = {
  value: [[0.123456, -1]],
  jacobian: [
    [
      [1, 0],
      [0, 1],
    ],
  ],
}
const drivings: Scene['driving'][] = [
  { kind: 'synthetic', name: 'puppet:100010,frames=75,size=256' },
  ...names.map((name) => ({ kind: 'file', name: `${name}.mp4` }) as const),
  { kind: 'webcam' },
  { kind: 'strings', pose },
]
const scenes: Scene[] = pictures.flatMap((picture) =>
  drivings.flatMap((driving, i) => ({
    model: i % 2 === 0 ? 'face' : 'run 1',
    ...{ picture, driving, isAbsolute: i % 2 === 0, smoothing: i % 3 === 0 && smoothing },
    looksForFaces: i % 4 < 2,
    reference: i % 3 === 1 ? pose : undefined,
    paste: i % 4 === 1,
  })),
)

/** The words of a line, as a shell of POSIX reads them: plain ones, and some in double quotes. */
function wordsOf(line: string): string[] {
  const words = line.matchAll(/"((?:[^"\\$`]|\\["\\$`])*)"|([\w@%+=:,./-]+)|(\S)/g)
  return Array.from(words, ([, inQuotes, plain, wrong]) => {
    expect(wrong, line).toBeUndefined()
    return plain ?? inQuotes!.replace(/\\(.)/g, '$1')
  })
}

test('commands are taken by the program as they stand, with the names of the files', async () => {
  let count = 0
  for (const scene of scenes) {
    const command = commandOf(scene)
    const { driving, picture } = scene
    if (driving.kind === 'webcam' || driving.kind === 'strings') {
      expect(command).toBeUndefined()
      continue
    }
    const [npx, pantin, ...args] = wordsOf(command!)
    expect([npx, pantin]).toEqual(['npx', 'pantin'])
    const program = createProgram(new AbortController().signal)
    const animate = program.commands.find((one) => one.name() === 'animate')!
    let got: unknown[] = []
    animate.action((...given: unknown[]) => {
      got = given
    })
    await program.parseAsync(args, { from: 'user' })
    const dashed = (name: string) => (name.startsWith('-') ? `./${name}` : name)
    expect(got[0]).toBe(scene.model)
    expect(got[1]).toMatchObject({
      ...{ source: dashed(picture.name), driving: dashed(driving.name), out: 'moved.mp4' },
      ...(scene.isAbsolute && { absolute: true }),
      ...(scene.smoothing && { smooth: true }),
      ...(scene.paste && { paste: true }),
    })
    // Without the option, the command looks for the frame that is most like the picture.
    const { reference, paste } = got[1] as { reference?: string; paste?: true }
    expect(reference).toBe(scene.isAbsolute || scene.reference ? undefined : 'first')
    expect(paste).toBe(scene.paste ? true : undefined)
    count++
  }
  expect(count).toBeGreaterThan(20)
})

test('code compiles as strict TypeScript and is JavaScript', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pantin-code-'))
  try {
    const files = scenes.map((scene, i) => {
      const file = join(folder, `page-${i}.ts`)
      writeFileSync(file, pageCodeOf(scene))
      return file
    })
    const program = ts.createProgram(files, {
      ...{ strict: true, noEmit: true, skipLibCheck: true, types: [] },
      ...{ noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true, noUnusedLocals: true },
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      allowImportingTsExtensions: true,
      lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
      paths: { 'pantin/web': [resolve('src/web/index.ts')] },
    })
    // The library's own files are checked elsewhere.
    const told = files.flatMap((file) => {
      const source = program.getSourceFile(file)!
      const all = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
      return all.map(
        ({ messageText }) => `${ts.flattenDiagnosticMessageText(messageText, '\n')}\n${source.text}`,
      )
    })
    expect(told).toEqual([])
    for (const file of files) {
      const asJavaScript = ts.transpileModule(readFileSync(file, 'utf8'), {
        fileName: 'page.js',
        reportDiagnostics: true,
        compilerOptions: { allowJs: true, target: ts.ScriptTarget.ESNext },
      })
      expect(asJavaScript.diagnostics?.map(({ messageText }) => messageText)).toEqual([])
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('code names what is shown', () => {
  const scene: Scene = {
    ...{ model: 'face', isAbsolute: true, smoothing, looksForFaces: true, reference: pose, paste: true },
    picture: { kind: 'synthetic', name: 'head:1' },
    driving: { kind: 'file', name: 'a film.mp4' },
  }
  const code = pageCodeOf(scene)
  for (const part of [
    "Animator.open('face', place)",
    "openClip('head:1', place, { fit: 'whole' })",
    "video.src = 'a%20film.mp4'",
    'absolute: true',
    'smoothing: { minCutoff: 1.5, beta: 0.3 }',
    'paste: true',
  ]) {
    expect(code).toContain(part)
  }
  expect(code).not.toContain('setReference')
  const relative = pageCodeOf({ ...scene, isAbsolute: false })
  expect(relative).toContain('animator.setReference({"value":[[0.1235,-1]],')
})
