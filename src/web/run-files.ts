/** What belongs to a run folder, and goes along when it is taken elsewhere. */

/** A run needs these to be one. */
export const configFile = 'config.json'
export const weightsFile = 'weights.safetensors'
export const checkpointFile = 'last/checkpoint.safetensors'
export const metricsFile = 'metrics.jsonl'
export const environmentFile = 'env.json'

const own: ReadonlySet<string> = new Set([
  configFile,
  weightsFile,
  checkpointFile,
  metricsFile,
  environmentFile,
])

/** Whether a path within a folder is one of a run's. */
export const isRunFile = (path: string): boolean => own.has(path) || /^previews\/[\w-]+\.png$/.test(path)

/** As the command line names previews: sorted by name is sorted by step. */
export const previewFile = (step: number): string => `previews/step-${String(step).padStart(8, '0')}.png`
