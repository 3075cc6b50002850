// The files of a run folder by their paths in it, with slashes: the same on a disk, in a zip and in a browser's storage.

/** The configuration. A folder is a run once it has this file. */
export const configFile = 'config.json'
/** The weights to use. */
export const weightsFile = 'weights.safetensors'
/** The state that training goes on from. */
export const checkpointFile = 'last/checkpoint.safetensors'
/** One JSON object per line, with the losses of a step. */
export const metricsFile = 'metrics.jsonl'
/** The machine and the versions that the run was made with. */
export const environmentFile = 'env.json'

const fixedNames: ReadonlySet<string> = new Set([
  configFile,
  weightsFile,
  checkpointFile,
  metricsFile,
  environmentFile,
])

/** The path of the preview picture of a step. Sorted by name, previews are sorted by step. */
export const previewFile = (step: number): string => `previews/step-${String(step).padStart(8, '0')}.png`

/** Whether a file in `previews/` is a preview by its name. */
export const isPreviewName = (name: string): boolean => /^step-\d{8,16}\.(?:png|webp|jpg)$/.test(name)

/** Whether a path is one that a run folder has. The lock and temporary files are not: they belong to a process. */
export function isRunFile(path: string): boolean {
  if (fixedNames.has(path)) return true
  const preview = /^previews\/([^/]+)$/.exec(path)?.[1]
  return preview !== undefined && isPreviewName(preview)
}
