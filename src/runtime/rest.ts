import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Sleeps for a millisecond. Linux often puts a calling thread and ONNX Runtime's worker, which spins in wait of it,
 * on one and the same processor, and leaves them there for as long as both are busy: for all of a training, if its
 * loop never sleeps. A thread that wakes is put on a processor that is free.
 */
export const rest = (): Promise<void> => sleep(1)
