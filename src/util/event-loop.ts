// The event loop in long work: pauses in which the process hears signals, messages and timers, and a process that stays
// alive while native threads work.

/**
 * Sleeps for a millisecond, so that the system may move the calling thread to another core. Linux often puts it on one
 * core with a worker of ONNX Runtime that spins while it waits, and leaves both there as long as both are busy. In a
 * loop that never sleeps that is the whole training. A thread that wakes up gets a core that is free. In a browser's
 * worker, messages arrive during the sleep.
 */
export const sleepBriefly = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1))

/** Work between two pauses of `paced`, in milliseconds. */
const workMs = 40

/**
 * For loops whose every round is computed without waiting for anything, such as the frames of a synthetic clip.
 *
 * @returns a function to await in every round; it rests if the loop has worked for a while
 */
export function paced(): () => Promise<void> | undefined {
  let rested = performance.now()
  return () => {
    if (performance.now() - rested < workMs) return undefined
    return sleepBriefly().then(() => {
      rested = performance.now()
    })
  }
}

/**
 * Awaits work in native threads. A process that waits for nothing else would exit in the middle; a timer that never
 * fires keeps it alive.
 */
export async function keepAlive<T>(work: Promise<T> | T): Promise<T> {
  const timer = setInterval(() => {}, 0x7fffffff)
  try {
    return await work
  } finally {
    clearInterval(timer)
  }
}
