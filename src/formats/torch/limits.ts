// How much a checkpoint file may cost: limits against hostile files, and the budget that is checked against them.
import { FormatError } from '../../util/errors.ts'

/**
 * Limits on the work that a checkpoint file can cause. Each number is far above the needs of a checkpoint of tens
 * of thousands of tensors, and keeps the memory for a small hostile file under 50 MB. The limits of zip archives
 * are in zip-archive.ts.
 */
export const limits = {
  /** Bytes of one pickle, which describes the tensors and holds none of their data. */
  pickleBytes: 64 * 2 ** 20,
  /** Bytes of a text that is kept. No name is longer; longer texts are settings, and are skipped. */
  textBytes: 2 ** 16,
  /** Bytes of one whole number in a pickle. */
  integerBytes: 64,
  /** Steps of the pickle machine over all pickles of a file; values that it copies count as steps too. */
  operations: 4_000_000,
  /** Lists, tuples, dictionaries and tensors together. */
  objects: 200_000,
  memoEntries: 500_000,
  stackDepth: 100_000,
  /** Axes of one tensor. */
  rank: 64,
  /** Containers inside containers, on the way to a tensor. */
  depth: 64,
  /** Dictionaries of tensors, the characters of all their paths, and all their tensors. */
  states: 20_000,
  pathCharacters: 2 ** 20,
  tensors: 250_000,
  /**
   * Bytes of all tensors in memory: this factor times the bytes of the storages in the file, plus the slack. A
   * factor is needed only for views that repeat elements (a stride of 0), tensors that share a storage and narrow
   * types.
   */
  expansion: 8,
  expansionSlack: 16 * 2 ** 20,
} as const

/** The remedy for a file that breaks its format. */
export const damaged = 'download the file again, or save it again in PyTorch'

/** Counts the work that the pickles of one file cause, against `limits`. */
export class Budget {
  private operations = 0
  private objects = 0

  constructor(private readonly file: string) {}

  /** @throws FormatError beyond the limit on steps. */
  work(steps = 1): void {
    this.operations += steps
    if (this.operations > limits.operations) this.refuse('steps', limits.operations)
  }

  /** @throws FormatError beyond the limit on objects. */
  object(): void {
    if (++this.objects > limits.objects) this.refuse('objects', limits.objects)
  }

  private refuse(what: string, most: number): never {
    throw new FormatError({
      what: `the file describes more than pantin reads`,
      where: this.file,
      got: `over ${most} ${what}`,
      expected: `at most ${most}, which is enough for tens of thousands of tensors`,
      remedy: damaged,
    })
  }
}
