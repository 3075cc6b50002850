/**
 * Sleeps for a millisecond. Linux often puts a calling thread and ONNX Runtime's worker, which spins in wait of it,
 * on one and the same processor, and leaves them there for as long as both are busy: for all of a training, if its
 * loop never sleeps. A thread that wakes is put on a processor that is free. In a browser's worker, messages come in
 * meanwhile.
 */
export const rest = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1))
