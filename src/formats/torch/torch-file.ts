/**
 * Checkpoints of PyTorch (.pth, .pt, .pth.tar ...), read as data: no code of the file ever runs, and what is
 * more than data is refused. The formats: `zip-format.ts`, `legacy-format.ts`; the pickles: `pickle-machine.ts`;
 * what a file may cost: `limits.ts`.
 */

import { fileError } from '../../files/file-errors.ts'
import { FormatError } from '../../util/errors.ts'
import { readZipFormat } from '../zip/zip-format.ts'
import { FileBytes } from './file-bytes.ts'
import { readLegacyFormat } from './legacy-format.ts'
import type { StoredTensor } from './tensor-view.ts'

export type { StoredTensor } from './tensor-view.ts'

/** An open checkpoint file. */
export interface TorchFile {
  /**
   * Every dictionary of the file that has tensors, by the path of keys that leads to it, with dots between
   * them: '' is the saved object itself; others are 'state_dict', 'kp_detector', 'optimizer.state.0' ... Lists
   * and tuples count as dictionaries from 0 on. Of a dictionary, the entries that are tensors and whose key is
   * a text (of 64 KiB at most) or a whole number, in their order. A dictionary with several paths is listed under each; what is
   * inside it, under the first. Where two paths or names are the same text, the later ends in ' (2)'.
   */
  readonly states: ReadonlyMap<string, ReadonlyMap<string, StoredTensor>>
  /** Closes the file, after which tensors cannot be read. Harmless twice. */
  close(): Promise<void>
}

/**
 * Opens a checkpoint that torch.save wrote, in whichever format, recognised by its content. Reads what the
 * tensors look like, and no tensor data.
 *
 * @throws FormatError for a file that is damaged, is no checkpoint, holds anything but data, or asks for more
 * than `limits`; InputError or EnvironmentError for one that cannot be read.
 */
export async function openTorchFile(path: string): Promise<TorchFile> {
  let file: FileBytes | undefined
  try {
    file = await FileBytes.open(path)
    const states = await readStates(file)
    return { states, close: () => file!.close() }
  } catch (error) {
    await file?.close()
    throw fileError(error, path, 'read')
  }
}

async function readStates(file: FileBytes): ReturnType<typeof readZipFormat> {
  const head = new Uint8Array(Math.min(512, file.size))
  await file.read(head, 0)
  const text = Buffer.from(head.buffer).toString('latin1')
  if (text.startsWith('PK\x03\x04')) return readZipFormat(file)
  // The opcode PROTO, which begins every pickle of protocol 2 and up.
  if (text.startsWith('\x80')) return readLegacyFormat(file)
  if (text.slice(257, 262) === 'ustar') {
    throw new FormatError({
      what: 'a tar archive: a checkpoint of torch before 0.1.10 (2017), too old, or a packed one',
      where: file.path,
      expected: 'a file that a later torch.save wrote',
      remedy: 'unpack it if it was packed; otherwise load it in PyTorch, and save it again',
    })
  }
  const { got, remedy } = guess(text, file.size)
  throw new FormatError({
    what: 'not a PyTorch checkpoint',
    where: file.path,
    got,
    expected: 'a file that torch.save wrote',
    remedy,
  })
}

/** What arrives most often in place of a checkpoint. */
function guess(text: string, size: number): { got: string; remedy: string } {
  if (size === 0) return { got: 'an empty file', remedy: 'download it again' }
  if (text.startsWith('version https://git-lfs')) {
    return { got: "a pointer of git's large file storage", remedy: 'fetch the file itself with git lfs pull' }
  }
  if (/^\s*<(!doctype|html)/i.test(text)) {
    return { got: 'a web page', remedy: 'open the address in a browser, and download the file from there' }
  }
  const bytes = Array.from(text.slice(0, 8), (character) =>
    character.charCodeAt(0).toString(16).padStart(2, '0'),
  )
  return { got: `a file that begins with ${bytes.join(' ')}`, remedy: 'check that it is the right file' }
}
