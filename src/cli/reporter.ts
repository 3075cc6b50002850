import type { ProgressEvent, ProgressView } from './progress.ts'

/** How a command is to talk. */
export interface Voice {
  /** One JSON value on stdout and nothing else there. */
  readonly json: boolean
  /** No progress and no notes. */
  readonly quiet: boolean
}

/** All that commands say goes through here: results on stdout, everything else on stderr. */
export class Reporter {
  private view: ProgressView | undefined

  constructor(
    readonly voice: Voice,
    private readonly makeView: () => Promise<ProgressView>,
  ) {}

  /** Loads what shows progress. Commands that have none to show do not pay for it. */
  async prepare(): Promise<void> {
    if (!this.voice.quiet) this.view ??= await this.makeView()
  }

  /** Where the work stands. Nothing is shown before `prepare`. */
  progress(event: ProgressEvent): void {
    this.view?.show(event)
  }

  /** A remark for a person; left out where nobody is meant to read along. */
  note(text: string): void {
    this.settle()
    if (!this.voice.quiet) process.stderr.write(`${text}\n`)
  }

  /** What the command found out or made: as one line of JSON, or as text. Called once, at the end. */
  result(value: object, text: () => string): void {
    this.settle()
    process.stdout.write(`${this.voice.json ? toJson(value) : text()}\n`)
  }

  /** Ends the bar, so that other text can be printed. */
  settle(): void {
    this.view?.end()
  }
}

/** Numbers that are not finite become null, as in all JSON. */
export const toJson = (value: object): string => JSON.stringify(value)
