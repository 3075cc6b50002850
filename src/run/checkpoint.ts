import { readSafetensors, writeSafetensors } from '../formats/safetensors/safetensors.ts'
import { type Checkpoint, checkpointFile, checkpointOf } from './checkpoint-state.ts'

export type { Checkpoint } from './checkpoint-state.ts'

/**
 * Writes a checkpoint atomically.
 *
 * @throws InputError for a step or time that is no number, or an `extra` key that begins with `pantin.`;
 * otherwise as `writeSafetensors`.
 */
export async function writeCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  const { tensors, metadata } = checkpointFile(path, checkpoint)
  await writeSafetensors(path, tensors, metadata)
}

/**
 * Reads a checkpoint.
 *
 * @throws FormatError for a broken file or one of a newer format, InputError for one that cannot be read.
 */
export async function readCheckpoint(path: string): Promise<Required<Checkpoint>> {
  return checkpointOf(path, await readSafetensors(path))
}
