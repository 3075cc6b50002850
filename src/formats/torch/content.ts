// What an open checkpoint offers: its dictionaries of tensors, and the classes in it that pantin does not know.
import { FormatError } from '../../util/errors.ts'
import { holdersOf } from './foreign.ts'
import { collectStates } from './states.ts'
import type { StoredTensor } from './tensor-view.ts'
import type { Foreign, Value } from './values.ts'

/** An open checkpoint file. */
export interface TorchFile {
  /**
   * Every dictionary of the file that has tensors, by the path of keys that leads to it, joined with dots: '' is
   * the saved object itself; others are 'state_dict', 'kp_detector', 'optimizer.state.0'. Lists and tuples count
   * as dictionaries with the keys 0, 1, 2. A dictionary has, in their order, the entries that are tensors and
   * whose key is a text (of at most 64 KiB) or a whole number. A dictionary with several paths is listed under
   * each of them, and what is inside it under the first. If two paths or names are the same text, the later one
   * ends in ' (2)'.
   */
  readonly states: ReadonlyMap<string, ReadonlyMap<string, StoredTensor>>
  /** Classes and functions of the file that pantin does not know, as `module.name`. Their objects are passed over. */
  readonly foreign: readonly string[]
  /** Unknown classes that have tensors in them, which cannot be read. */
  readonly holders: readonly string[]
  /** Closes the file; tensors cannot be read after that. Calling it again does no harm. */
  close(): Promise<void>
}

/** What a file holds, as in `TorchFile`. */
export type Content = Omit<TorchFile, 'close'>

/** @throws FormatError if all tensors hang on classes that pantin does not know. */
export function contentOf(
  root: Value,
  foreign: ReadonlyMap<string, Foreign>,
  file: string,
  storedBytes: number,
): Content {
  const states = collectStates(root, file, storedBytes)
  const holders = foreign.size === 0 ? [] : holdersOf(root)
  if (states.size === 0 && holders.length > 0) throw hangsOn(holders, file)
  return { states, foreign: [...foreign.keys()], holders }
}

/** The error for weights inside of objects whose classes pantin does not know. */
export function hangsOn(holders: readonly string[], file: string): FormatError {
  const [first = '', ...more] = holders
  return new FormatError({
    what: 'the weights are inside an object of Python code, and not in a dictionary',
    where: file,
    got: `an object of ${first}${more.length > 0 ? `, and of ${more.length} more classes` : ''}`,
    expected: 'tensors in dictionaries, lists and tuples',
    remedy:
      'if you trust the source of the file, load it in Python with its code, and save only its state_dict() there',
  })
}
