// Runs before the install scripts of pantin's dependencies, and keeps onnxruntime-node from downloading CUDA parts.
// Its script would fetch them from outside the package registry on every Linux x64, with or without a GPU. If that place
// cannot be reached, the whole installation fails. ONNXRUNTIME_NODE_INSTALL=cuda12 asks for them, as on other systems.
const { readFileSync, writeFileSync } = require('node:fs')
const { dirname, join } = require('node:path')

const { env } = process
const asked =
  env.ONNXRUNTIME_NODE_INSTALL ||
  env.npm_config_onnxruntime_node_install ||
  env.ONNXRUNTIME_NODE_INSTALL_CUDA ||
  env.npm_config_onnxruntime_node_install_cuda

if (!asked) {
  try {
    const file = join(dirname(require.resolve('onnxruntime-node/package.json')), 'script/install-metadata.js')
    const before = readFileSync(file, 'utf8')
    const after = before.replace(/('linux\/x64':) \['cuda12'\]/, '$1 []')
    if (after !== before) writeFileSync(file, after)
  } catch {
    // The file is missing or has another form. Then the package's own script decides.
  }
}
