// Runs before the install scripts of pantin's dependencies in npm, and keeps onnxruntime-node from downloading CUDA parts.
// Its script would fetch them from outside the package registry on every Linux x64, with or without a GPU. If that place
// cannot be reached, the whole installation fails. ONNXRUNTIME_NODE_INSTALL=cuda12 asks for them, as on other systems.
//
// Its list of parts becomes a new file, which takes the name of the old one: a file in node_modules may be a hard link to
// a store that all projects share. pnpm, bun and yarn run no such script, or run it too late, so nothing is changed there.
const { readFileSync, renameSync, rmSync, statSync, writeFileSync } = require('node:fs')
const { dirname, join } = require('node:path')

const { env } = process
const asked =
  env.ONNXRUNTIME_NODE_INSTALL ||
  env.npm_config_onnxruntime_node_install ||
  env.ONNXRUNTIME_NODE_INSTALL_CUDA ||
  env.npm_config_onnxruntime_node_install_cuda
const isOtherManager = /^(pnpm|bun|yarn)\//.test(env.npm_config_user_agent || '')

if (!asked && !isOtherManager) {
  try {
    const file = join(dirname(require.resolve('onnxruntime-node/package.json')), 'script/install-metadata.js')
    const before = readFileSync(file, 'utf8')
    const after = before.replace(/('linux\/x64':) \['cuda12'\]/, '$1 []')
    if (after !== before) replace(file, after)
  } catch {
    // The file is missing or has another form. Then the package's own script decides.
  }
}

function replace(file, text) {
  const temporary = `${file}.${process.pid}.tmp`
  try {
    writeFileSync(temporary, text, { flag: 'wx', mode: statSync(file).mode })
    renameSync(temporary, file)
  } finally {
    rmSync(temporary, { force: true })
  }
}
