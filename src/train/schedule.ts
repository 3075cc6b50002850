/**
 * Learning rate over a run: a short linear rise, so that Adam's second moment is known before large steps
 * are taken, then a half cosine to a hundredth (Loshchilov and Hutter 2017), since a run of minutes has no
 * time for plateaus.
 *
 * @param progress part of the run that is done, 0 to 1
 * @param step number of the step, from 1
 */
export function learningRate(peak: number, progress: number, step: number): number {
  const rise = Math.min(1, step / 20)
  const fall = 0.01 + 0.99 * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress)))
  return peak * rise * fall
}
