/** Something to time. */
export interface Timed {
  run(): Promise<unknown>
}

/** Milliseconds of one run, after untimed ones for at least `warmMs`. */
export async function timeOnce(timed: Timed, warmMs: number, now: () => number): Promise<number> {
  const warmFrom = now()
  do await timed.run()
  while (now() - warmFrom < warmMs)
  const began = now()
  await timed.run()
  return now() - began
}
