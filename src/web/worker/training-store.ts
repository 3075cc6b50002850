import type { Tensor } from '../../graph/tensor.ts'
import type { Frame } from '../../media/frame.ts'
import { type Checkpoint, checkpointFile, checkpointOf } from '../../store/checkpoint-state.ts'
import { type MetricsRecord, metricsLine, metricsLines } from '../../store/metrics-lines.ts'
import { decodeSafetensors, encodeSafetensors } from '../../store/safetensors-bytes.ts'
import type { RunStore } from '../../train/run-store.ts'
import { checkpointFile as checkpointPath, metricsFile, previewFile, weightsFile } from '../run-files.ts'
import { isFull, type StoredFolder } from '../storage.ts'
import { filesOf } from '../stored-runs.ts'
import { pngOf } from './pixels.ts'
import { tell } from './serve.ts'

/**
 * A run in the browser's storage, while it trains. Where storage is full, files stay in memory until there is room:
 * the run goes on, and the page is told.
 */
export class TrainingStore implements RunStore {
  readonly path: string
  private readonly inMemory = new Map<string, Blob>()
  /** Lines that are written with the next checkpoint: those after it would be dropped on resuming anyway. */
  private metrics = ''
  private warned = false

  constructor(private readonly folder: StoredFolder) {
    this.path = folder.name
  }

  async hasCheckpoint(): Promise<boolean> {
    return (await this.read(checkpointPath)) !== undefined
  }

  async loadCheckpoint(): Promise<Required<Checkpoint>> {
    const where = `${this.path}/${checkpointPath}`
    const bytes = new Uint8Array(await (await this.read(checkpointPath))!.arrayBuffer())
    return checkpointOf(where, await decodeSafetensors(bytes, where))
  }

  async saveCheckpoint(checkpoint: Checkpoint): Promise<void> {
    const { tensors, metadata } = checkpointFile(`${this.path}/${checkpointPath}`, checkpoint)
    await this.write(checkpointPath, encodeSafetensors(tensors, metadata))
    await this.write(metricsFile, [this.metrics])
  }

  async saveWeights(
    tensors: ReadonlyMap<string, Tensor>,
    metadata: ReadonlyMap<string, string>,
  ): Promise<void> {
    await this.write(weightsFile, encodeSafetensors(tensors, metadata))
    tell({ kind: 'train', event: { kind: 'saved', step: Number(metadata.get('step')) } })
  }

  appendMetrics(record: MetricsRecord): void {
    this.metrics += metricsLine(record)
  }

  async truncateMetrics(step: number): Promise<void> {
    const text = (await (await this.read(metricsFile))?.text()) ?? ''
    const kept = metricsLines(text, `${this.path}/${metricsFile}`).filter(({ record }) => record.step <= step)
    this.metrics = kept.map(({ line }) => `${line}\n`).join('')
  }

  async savePreview(step: number, frame: Frame, measures: Readonly<Record<string, number>>): Promise<void> {
    const picture = await pngOf(frame)
    await this.write(previewFile(step), [picture])
    tell({ kind: 'train', event: { kind: 'preview', step, picture, measures } })
  }

  /** Writes what came after the last checkpoint: the end of a run has a preview. */
  async finish(): Promise<void> {
    await this.write(metricsFile, [this.metrics])
  }

  /** The run's files, wherever they are. */
  async files(): Promise<Map<string, Blob>> {
    const stored = await filesOf(this.folder).catch((error: unknown) => {
      // Where not even its configuration found room, all of it is in memory.
      if (this.inMemory.size === 0) throw error
      return new Map<string, Blob>()
    })
    return new Map([...stored, ...this.inMemory])
  }

  async write(path: string, content: (Blob | string | Uint8Array<ArrayBuffer>)[]): Promise<void> {
    try {
      await this.folder.write(path, content)
      this.inMemory.delete(path)
    } catch (error) {
      if (!isFull(error)) throw error
      this.inMemory.set(path, new Blob(content))
      this.warn()
    }
  }

  /** Tells the page once that storage is full. */
  warn(): void {
    if (this.warned) return
    this.warned = true
    const message =
      "The browser's storage is full. The run goes on in memory: download it before you leave the page, or remove runs that are not needed."
    tell({ kind: 'notice', notice: { kind: 'storage-full', message } })
  }

  private async read(path: string): Promise<Blob | undefined> {
    return this.inMemory.get(path) ?? this.folder.read(path)
  }
}
