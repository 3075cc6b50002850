import { JsonLines, type ProgressView } from './progress.ts'

/** A bar on a terminal, JSON lines elsewhere. */
export async function progressView(): Promise<ProgressView> {
  if (!process.stderr.isTTY) return new JsonLines()
  const { ProgressBar } = await import('./progress-bar.ts')
  return new ProgressBar()
}
