import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** The parts of a run folder that the server hands out, or takes in. */

/** Files by the names that addresses have for them. */
export const runFiles: ReadonlyMap<string, string> = new Map([
  ['config.json', 'config.json'],
  ['weights.safetensors', 'weights.safetensors'],
  ['metrics.jsonl', 'metrics.jsonl'],
  ['env.json', 'env.json'],
  ['checkpoint.safetensors', 'last/checkpoint.safetensors'],
])

export const isPreview = (name: string): boolean => /^step-\d{8,16}\.(?:png|webp|jpg)$/.test(name)

/** Whether a path, with slashes, is one that a run folder has. */
export function isRunFile(path: string): boolean {
  if ([...runFiles.values()].includes(path)) return true
  const preview = /^previews\/([^/]+)$/.exec(path)?.[1]
  return preview !== undefined && isPreview(preview)
}

/** Names of a run's previews, in the order of their steps. */
export async function previewsOf(folder: string): Promise<string[]> {
  const names = await readdir(join(folder, 'previews')).catch(() => [])
  return names.filter(isPreview).sort()
}
