// Runs before the install scripts of pantin's dependencies. onnxruntime-node's own would download CUDA parts
// from outside the package registry on every Linux x64, GPU or not, and fail the whole installation where that
// cannot be reached. This makes them what they are elsewhere: asked for, with ONNXRUNTIME_NODE_INSTALL=cuda12.
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
    // Not there yet, or laid out otherwise: its own script decides, as without us.
  }
}
