/**
 * A network of your own, in a file outside the package. Every command takes it with --plugin:
 *
 *   pantin info my-net --plugin examples/own-network.mjs --as detector
 *   pantin train clip.mp4 --net my-net --plugin examples/own-network.mjs --out runs/mine
 */
import { layers } from 'pantin'

const { conv2d, downsampler, invertedResidual, ssNbt } = layers

/** From [N, C, H, W] to 64 channels at 1/4 of the size, and 16 at 1/2. Parameters are named as the scope says. */
function encode(scope, x) {
  const half = downsampler(scope.child('down1'), x, 16)
  const quarter = downsampler(scope.child('down2'), half, 64)
  const seen = ssNbt(scope.child('block1'), quarter, { dilation: 2 })
  return { half, quarter: invertedResidual(scope.child('block2'), seen, { expansion: 4 }) }
}

/** @type {import('pantin').Net} */
export const myNet = {
  name: 'my-net',
  title: 'My network',
  paper: { title: 'Not published', authors: 'You', url: 'https://example.org' },
  year: 2026,
  skips: 'none',
  outputStride: () => 4,
  multiple: () => 4,
  build: (scope, x, { outputs }) =>
    conv2d(scope.child('head'), encode(scope, x).quarter, outputs, { kernel: 1 }),
  features(scope, x) {
    const { half, quarter } = encode(scope, x)
    return { deep: { value: quarter, stride: 4 }, shallow: [{ value: half, stride: 2 }] }
  },
}
