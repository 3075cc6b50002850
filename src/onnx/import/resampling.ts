// Importers of resizing and sampling of images.

import type { Value } from '../../graph/graph.ts'
import { type ResizeMode, resize } from '../../graph/ops/resize.ts'
import { gridSample } from '../../graph/ops/sampling.ts'
import type { Importers, OnnxNode } from './node.ts'

function importResize(node: OnnxNode): Value {
  const x = node.input(0)
  const [height, width] = x.shape.slice(2)
  if (x.shape.length !== 4)
    node.refuse('only images [N, C, H, W] are resized', { got: `${x.shape.length} axes` })
  if (
    node.hasAttribute('axes') ||
    node.int('antialias', 0) !== 0 ||
    node.text('keep_aspect_ratio_policy', 'stretch') !== 'stretch'
  ) {
    node.refuse('a Resize with axes, antialias or a kept aspect ratio is not known')
  }
  const size = sizeAfter(node, x.shape)
  const factors = [size[0] / height!, size[1] / width!] as const
  return resize(x, size, node.type === 'Upsample' ? upsampleMode(node) : modeOf(node, factors))
}

/** Height and width of the result, from the sizes or the scales that are given. */
function sizeAfter(node: OnnxNode, shape: readonly number[]): [number, number] {
  const given = node.type === 'Upsample' ? undefined : node.numbers(3)
  const scales = node.floats('scales') ?? node.numbers(node.type === 'Upsample' || node.opset < 11 ? 1 : 2)
  const sizes = given?.length ? given : shape.map((n, i) => n * (scales?.[i] ?? Number.NaN))
  const ok =
    sizes.length === 4 && sizes.every(Number.isInteger) && sizes[0] === shape[0] && sizes[1] === shape[1]
  if (!ok) {
    node.refuse('a Resize does not lead to a whole height and width', {
      got: `[${sizes.slice(0, 8).join(', ')}] from [${shape.join(', ')}]`,
      expected: 'the same batch and channels, and whole numbers of rows and columns',
    })
  }
  return [sizes[2]!, sizes[3]!]
}

function modeOf(node: OnnxNode, factors: readonly number[]): ResizeMode {
  const mode = node.text('mode', 'nearest')
  // Before opset 11 there was one way to match coordinates.
  const coordinates =
    node.opset < 11 ? 'asymmetric' : node.text('coordinate_transformation_mode', 'half_pixel')
  const rounding = node.opset < 11 ? 'floor' : node.text('nearest_mode', 'round_prefer_floor')
  if (mode === 'linear' && /^(pytorch_)?half_pixel$/.test(coordinates)) return 'bilinear'
  if (mode === 'linear' && coordinates === 'align_corners') return 'bilinear-corners'
  if (mode === 'nearest') {
    if (coordinates === 'asymmetric' && rounding === 'floor') return 'nearest'
    // For whole factors both ways read the same pixels.
    const whole = factors.every(Number.isInteger)
    if (whole && coordinates === 'half_pixel' && rounding.startsWith('round')) return 'nearest'
  }
  return node.refuse('an unknown way to resize', {
    got: `${mode}, ${coordinates}, ${rounding}`,
    expected: 'nearest (asymmetric, floor) or linear (half_pixel or align_corners)',
  })
}

function upsampleMode(node: OnnxNode): ResizeMode {
  const mode = node.text('mode', 'nearest')
  return mode === 'nearest'
    ? mode
    : node.refuse('only an Upsample by nearest neighbour is known', { got: mode })
}

function importGridSample(node: OnnxNode): Value {
  const mode = node.text('mode', 'linear')
  const padding = node.text('padding_mode', 'zeros')
  if (mode !== 'linear' && mode !== 'bilinear')
    node.refuse('only a bilinear GridSample is known', { got: mode })
  if (padding !== 'zeros' && padding !== 'reflection') {
    return node.refuse('an unknown padding of GridSample', { got: padding, expected: 'zeros or reflection' })
  }
  return gridSample(node.input(0), node.input(1), {
    alignCorners: node.int('align_corners', 0) === 1,
    padding,
  })
}

export const resampling: Importers = {
  GridSample: importGridSample,
  Resize: importResize,
  Upsample: importResize,
}
