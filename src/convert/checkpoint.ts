// Checkpoints from elsewhere, in any format, as dictionaries of tensors.
import { readStart } from '../files/read.ts'
import { readSafetensors } from '../formats/safetensors/safetensors.ts'
import { openTorchFile } from '../formats/torch/torch-file.ts'
import type { Shape, Tensor } from '../graph/tensor.ts'

/** A tensor of a checkpoint. */
export interface CheckpointTensor {
  readonly shape: Shape
  /** Reads its values; float16, bfloat16 and float64 become float32. */
  read(): Promise<Tensor>
}

/** Tensors by name, in the order of the file. */
export type StateDict = ReadonlyMap<string, CheckpointTensor>

/** An open checkpoint. */
export interface CheckpointFile {
  readonly format: 'PyTorch' | 'safetensors'
  /** Every dictionary of tensors in the file, by the path of keys that leads to it: '' or `state_dict`. */
  readonly states: ReadonlyMap<string, StateDict>
  close(): Promise<void>
}

/**
 * Opens a checkpoint: PyTorch's zip or legacy format, or safetensors. The first bytes tell the format, because the
 * names of such files say little.
 *
 * @throws FormatError for a file in another format, or one that is damaged or hostile; InputError for a file that
 * cannot be read.
 */
export async function openCheckpoint(path: string): Promise<CheckpointFile> {
  if (!looksLikeSafetensors(await readStart(path, 'a checkpoint', 9))) {
    const { states, close } = await openTorchFile(path)
    return { format: 'PyTorch', states, close }
  }
  const { tensors } = await readSafetensors(path)
  const state = new Map(
    Array.from(tensors, ([name, tensor]) => [name, { shape: tensor.shape, read: async () => tensor }]),
  )
  return { format: 'safetensors', states: new Map([['', state]]), close: async () => {} }
}

/** safetensors begin with a little-endian length whose upper half is 0, then the brace that opens the header. */
const looksLikeSafetensors = (start: Uint8Array) =>
  start.length === 9 && start.subarray(4, 8).every((byte) => byte === 0) && start[8] === 0x7b
