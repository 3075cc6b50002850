// When runs are made: one after the other, with short sleeps that let the system move threads.

/** Runs tasks one after the other; a task that fails does not stop those behind it. */
export class SerialQueue {
  private tail: Promise<unknown> = Promise.resolve()

  add<T>(task: () => Promise<T>): Promise<T> {
    const result = this.tail.then(task)
    this.tail = result.catch(() => undefined)
    return result
  }
}

/**
 * Sleeps for a millisecond, so that the system may move the calling thread to another core. Linux often puts it on one
 * core with a worker of ONNX Runtime that spins while it waits, and leaves both there as long as both are busy. In a
 * loop that never sleeps that is the whole training. A thread that wakes up gets a core that is free. In a browser's
 * worker, messages arrive during the sleep.
 */
export const sleepBriefly = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1))
