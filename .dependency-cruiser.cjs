// The house: each folder of src/ is a floor and imports only the floors before it in this list.
const floors = [
  'util',
  'graph',
  'onnx',
  'layers',
  'zoo',
  'motion',
  'runtime',
  'optimise',
  'files',
  'formats',
  'run',
  'media',
  'synthetic',
  'clips',
  'faces',
  'model',
  'animate',
  'evaluate',
  'convert',
  'train',
  'profile',
  'compress',
  'work',
  'study',
  'report',
  'web',
  'server',
  'cli',
]

const upward = floors.map((floor, index) => ({
  name: `floor-${floor}`,
  comment: `src/${floor} may import only itself and: ${floors.slice(0, index).join(', ') || 'nothing'}`,
  severity: 'error',
  from: { path: `^src/${floor}/` },
  to: { path: `^src/(${floors.slice(index + 1).join('|') || 'nothing-above'}|index\\.ts)(/|$)` },
}))

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...upward,
    {
      name: 'no-cycles',
      comment: 'A cycle means that two files are one idea, or that one of them knows too much.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'src-without-bench',
      comment: 'bench/ is not in the package. Only `pantin bench` loads it, when it is called in a clone.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/cli/commands/bench\\.ts$' },
      to: { path: '^bench/' },
    },
    {
      name: 'bench-loaded-when-called',
      comment: 'The import of bench/ is dynamic: without it, an installed package could not start.',
      severity: 'error',
      from: { path: '^src/cli/commands/bench\\.ts$' },
      to: { path: '^bench/', dynamic: false },
    },
    {
      name: 'animate-never-trains',
      severity: 'error',
      from: { path: '^src/animate/' },
      to: { path: '^src/train/' },
    },
    {
      name: 'op-families-know-only-the-language',
      comment: 'src/graph is the language; src/graph/ops stands on it, never the other way round.',
      severity: 'error',
      from: { path: '^src/graph/[^/]+\\.ts$' },
      to: { path: '^src/graph/ops/' },
    },
    {
      name: 'web-without-node',
      comment: 'The web library runs in pages: nothing that it imports may lead to a module of Node.',
      severity: 'error',
      from: { path: '^src/web/' },
      to: {
        reachable: true,
        path: '^(node:)?(assert|buffer|child_process|crypto|fs|http|https|module|net|os|path|process|stream|timers|url|util|v8|vm|worker_threads|zlib)(/|$)|node_modules/(sharp|onnxruntime-node|@napi-rs|yauzl)/',
      },
    },
    {
      name: 'page-without-zoo',
      comment:
        "What stands in src/web itself is the page's script: the networks and what trains them weigh on the worker. Tables of options are plain data.",
      severity: 'error',
      from: { path: '^src/web/[^/]+\\.ts$', pathNot: '^src/web/worker\\.ts$' },
      to: {
        path: '^src/(?!web|util|files|formats|run|graph/tensor|media/(fit|mark)|model/one-euro|motion/options|train/options|profile/costs|report/(format|network-diagram|plot-layout))',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'node-only-in-node-files',
      comment: 'The graph, the layers and the networks run in a browser too.',
      severity: 'error',
      from: { path: '^src/(graph|onnx|layers|zoo|motion)/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'studio-on-published-exports',
      comment: 'The studio is built as anybody could: on pantin/web and a few small libraries.',
      severity: 'error',
      from: { path: '^studio/src/' },
      to: {
        pathNot: [
          '^studio/src/',
          '^pantin/web$',
          '^dist/web/',
          '(^|node_modules/)(preact|@preact/signals|uplot)(/|$)',
        ],
      },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
  },
}
