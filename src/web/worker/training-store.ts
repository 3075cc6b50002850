// A run in the browser's storage while it trains: the store that the training loop writes to.
import { decodeSafetensors, encodeSafetensors } from '../../formats/safetensors/bytes.ts'
import type { Tensor } from '../../graph/tensor.ts'
import type { Frame } from '../../media/clip.ts'
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint, findCheckpoint } from '../../run/checkpoint.ts'
import {
  checkpointFile,
  configFile,
  isRunFile,
  type MetricsRecord,
  metricsFile,
  metricsLine,
  metricsLines,
  previewFile,
  weightsFile,
} from '../../run/run-files.ts'
import type { RunStore } from '../../train/loop.ts'
import { isFull, type StoredFolder } from '../storage.ts'
import { filesIn } from '../stored-runs.ts'
import { tell } from './device.ts'
import { pngOf } from './pixels.ts'

/**
 * The store of a run that trains in a page. If the storage is full, files stay in memory until there is room: the run
 * goes on, and the page is told.
 */
export class TrainingStore implements RunStore {
  readonly path: string
  private readonly inMemory = new Map<string, Blob>()
  /** Lines that are written with the next checkpoint. A resumed run drops all lines after its checkpoint anyway. */
  private metrics = ''
  private savedStep = 0
  private lacksFrames = false
  private warned = false

  constructor(private readonly folder: StoredFolder) {
    this.path = folder.name
  }

  hasCheckpoint(): Promise<boolean> {
    return findCheckpoint(this.path, async (file) => (await this.read(file)) !== undefined)
  }

  async loadCheckpoint(): Promise<Required<Checkpoint>> {
    const where = `${this.path}/${checkpointFile}`
    const bytes = new Uint8Array(await (await this.read(checkpointFile))!.arrayBuffer())
    return decodeCheckpoint(where, await decodeSafetensors(bytes, where))
  }

  async saveCheckpoint(checkpoint: Checkpoint): Promise<void> {
    const { tensors, metadata } = encodeCheckpoint(`${this.path}/${checkpointFile}`, checkpoint)
    await this.write(checkpointFile, encodeSafetensors(tensors, metadata))
    await this.write(metricsFile, [this.metrics])
  }

  async saveWeights(tensors: ReadonlyMap<string, Tensor>, step: number): Promise<void> {
    await this.write(weightsFile, encodeSafetensors(tensors, new Map([['step', String(step)]])))
    this.savedStep = step
    this.tellSaved()
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

  /** At the end of a run: writes the last lines, and the files that found no room before. */
  async finish(): Promise<void> {
    await this.write(metricsFile, [this.metrics])
    const { [configFile]: config, ...others } = Object.fromEntries(this.inMemory)
    for (const [path, blob] of Object.entries(others)) await this.write(path, [blob])
    // config.json makes the folder a run, so that it waits until all other files are there.
    if (config !== undefined && this.inMemory.size === 1) await this.write(configFile, [config])
    // No step needs the frames any more.
    this.lacksFrames = false
    if (this.warned) this.tellSaved()
  }

  /** The run's files, from memory and from the storage. */
  async files(): Promise<Map<string, Blob>> {
    const unstored = [...this.inMemory].filter(([path]) => isRunFile(path))
    return new Map([...(await filesIn(this.folder)), ...unstored])
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

  /** Notes that frames found no room: they are in memory until training ends, and the run cannot be resumed. */
  lackFrames(): void {
    this.lacksFrames = true
    this.warn()
  }

  private tellSaved(): void {
    const inMemory = this.inMemory.size > 0 || this.lacksFrames
    tell({ kind: 'train', event: { kind: 'saved', step: this.savedStep, inMemory } })
  }

  /** Tells the page once that the storage is full. */
  private warn(): void {
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
