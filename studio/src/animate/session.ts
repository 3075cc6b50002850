// One model at work: takes frames of what drives as they come, and draws the moved picture.
import { Animator, type Pose, type Square, type TrackedPicture, type WebPlace, type WebRun } from 'pantin/web'
import { type Driving, type DrivingChoice, openDriving } from '../core/driving.ts'
import { DrivingSquare } from '../core/driving-square.ts'
import { headIn } from '../core/faces.ts'
import { complain } from '../core/messages.ts'
import { drawOverlay } from '../core/overlay.ts'
import { drawSquare, drawWhole, sizeOf, syntheticFilm } from '../core/pictures.ts'
import { showComputing } from '../core/place.ts'
import { chosenRun } from '../core/runs.ts'
import { troubleOf } from '../core/trouble.ts'
import { type Framed, middleOf } from './framing.ts'
import { drawWanted, nearnessOf } from './matching.ts'
import { Meter } from './meter.ts'
import { Painters } from './painters.ts'
import { PulledPictures } from './pulled-pictures.ts'
import * as puppetry from './puppetry.ts'
import type { Take } from './recording.ts'
import { Reference } from './reference.ts'
import * as state from './state.ts'

export interface Stages {
  readonly picture: HTMLCanvasElement
  readonly driving: HTMLCanvasElement
  readonly result: HTMLCanvasElement
}

/** The picture that is shown. */
export interface ShownPicture extends Framed {
  /** As it was chosen. */
  readonly source: state.PictureChoice['source']
  readonly bitmap: ImageBitmap
  /** Whether it is closed with the session. */
  readonly isOwn: boolean
}

/** A model, what drives it, and the canvases that it draws on. */
export class Session {
  /** Is told of each frame while a recording is in progress. */
  take: Take | undefined
  readonly reference: Reference
  private readonly meter = new Meter()
  private driving: Driving | undefined
  private drivingSquare = new DrivingSquare(false)
  /** The picture and the driving frame that are shown now. */
  private shown: { picture?: ShownPicture; driving?: Framed } = {}
  /** The moved picture that is shown, without axes. */
  private moved: ImageBitmap | undefined
  /** The keypoints of the picture, and where videos have moved them. */
  private rest: Pose | undefined
  private seen: Pose[] = []
  /** The keypoints of the driving frame that is shown. */
  private driven: Pose | undefined
  /** Strings move the picture, and not a video. */
  private isPulled = false
  private readonly painters: Painters
  private readonly pulledPictures: PulledPictures
  private isClosed = false
  private isPaused = false
  /** Something was changed, so that a session that is paused shows its frame once more. */
  private isStale = false
  private opening = 0
  private picturing = 0
  private pictured: Promise<unknown> = Promise.resolve()

  private constructor(
    private readonly animator: Animator,
    private readonly stages: Stages,
    painters: Painters,
  ) {
    this.reference = new Reference(animator, () => this.refresh())
    this.painters = painters
    this.pulledPictures = new PulledPictures(painters, () => this.pastes)
  }

  static async open(run: WebRun, place: WebPlace, stages: Stages): Promise<Session> {
    const animator = await Animator.open(run, place)
    showComputing(animator)
    return new Session(animator, stages, new Painters(animator, run, place))
  }

  get isOver(): boolean {
    return this.isClosed
  }

  /** The square of the picture, and that of what drives, as they are shown. */
  get framed(): { readonly picture?: ShownPicture; readonly driving?: Framed } {
    return this.isClosed ? {} : this.shown
  }

  /** The picture, for work beside the session. The caller closes it. */
  async copyOfPicture(): Promise<ImageBitmap | undefined> {
    const { picture } = this.shown
    return this.isClosed || picture === undefined ? undefined : createImageBitmap(picture.bitmap)
  }

  /** Shows another square of the picture. It is moved once it is set: see `setPicture`. */
  showPicture(square: Square): void {
    const { picture } = this.shown
    if (picture === undefined) return
    this.shown.picture = { ...picture, square }
    this.refresh()
    drawSquare(this.stages.picture, picture.bitmap, square)
  }

  /** Takes another square of what drives, from the next frame on. */
  frameDriving(square: Square): void {
    const { driving } = this.shown
    if (driving === undefined) return
    this.shown.driving = { ...driving, square }
    this.drivingSquare.choose(square, [driving.width, driving.height])
    this.refresh()
  }

  /** Gives each frame to a recording. It begins with what is shown: strings that nobody pulls draw no other frame. */
  async record(take: Take): Promise<void> {
    this.take = take
    if (this.moved !== undefined) await take.add(this.moved)
  }

  /** Shows a frame, keeps it until the next one comes, and records it. */
  private async show(frame: ImageBitmap): Promise<void> {
    this.moved?.close()
    this.moved = frame
    drawWhole(this.stages.result, frame)
    await this.take?.add(frame)
  }

  /** Changes the picture. If calls overlap, the last one counts. */
  async setPicture({ source, square: chosen }: state.PictureChoice): Promise<void> {
    const call = ++this.picturing
    const isFilm = typeof source === 'string'
    const picture = isFilm
      ? (await syntheticFilm(source)).frames[0]!
      : await createImageBitmap(source, { imageOrientation: 'from-image' })
    const show = async () => {
      if (this.isClosed || call !== this.picturing) return
      const isOwn = chosen === undefined && !isFilm && state.looksForFaces.peek()
      const square = isOwn ? await headIn(picture) : chosen
      const { value, jacobian } = await this.animator.setSource(picture, square && { crop: square })
      if (this.isClosed) return
      this.rest = { value, ...(jacobian && { jacobian }) }
      this.seen = []
      if (this.isPulled) await this.tieStrings()
      const found = isOwn ? (square === undefined ? 'none' : 'face') : undefined
      state.framing.value = chosen === undefined ? found : 'chosen'
      const [width, height] = sizeOf(picture)
      this.releasePicture()
      this.shown.picture = {
        ...{ width, height, square: square ?? middleOf(width, height) },
        ...{ source, bitmap: picture, isOwn: !isFilm },
      }
      state.canPaste.value = Math.max(width, height) > this.shown.picture!.square.side + 1
      this.preparePainters()
      // It is another pose that what drives is compared with.
      this.reference.start()
      drawSquare(this.stages.picture, picture, square)
      if (state.points.peek()) {
        drawOverlay(this.stages.picture, { value }, { points: true, axes: false, heatmap: false })
      }
    }
    // One after the other, so that an older picture never comes last.
    const shown = this.pictured.catch(() => {}).then(show)
    this.pictured = shown
    try {
      await shown
    } finally {
      // Films are kept for the next use.
      if (!isFilm && this.shown.picture?.bitmap !== picture) picture.close()
    }
  }

  /** Strings have workers of their own. */
  private preparePainters(): void {
    const { picture } = this.shown
    if (!this.isPulled) this.painters.close()
    else if (picture !== undefined) void this.painters.prepare(picture.bitmap, picture.square)
  }

  private releasePicture(): void {
    if (this.shown.picture?.isOwn) this.shown.picture.bitmap.close()
    delete this.shown.picture
  }

  /** Changes what drives. If calls overlap, the last one counts. */
  async setDriving(choice: DrivingChoice): Promise<void> {
    if (this.isClosed) return
    this.driving?.close()
    this.driving = undefined
    delete this.shown.driving
    this.driven = undefined
    this.reference.forget()
    state.drivingFace.value = undefined
    state.nearness.value = undefined
    const call = ++this.opening
    this.isPulled = choice.kind === 'strings'
    this.pulledPictures.drop()
    this.preparePainters()
    if (choice.kind === 'strings') return this.tieStrings()
    const isLast = () => !this.isClosed && call === this.opening
    const driving = await openDriving(choice).catch((error: unknown) => {
      if (isLast()) throw error
    })
    if (driving === undefined || !isLast()) {
      driving?.close()
      return
    }
    this.driving = driving
    this.drivingSquare = new DrivingSquare(choice.kind !== 'synthetic' && state.looksForFaces.peek())
    this.reference.start()
    this.meter.restart()
  }

  /** Draws until it is closed. A failure ends it, and is told. */
  async run(): Promise<void> {
    let screen = new Promise(requestAnimationFrame)
    while (!this.isClosed) {
      await screen
      // Asked for now: a picture that takes longer than a frame of the screen is followed by the next one at once.
      screen = new Promise(requestAnimationFrame)
      // Strings that are pulled show it while the session is paused, too.
      if ((this.isPaused && !this.isStale && !this.isPulled) || this.isClosed) continue
      this.isStale = false
      try {
        await this.step()
      } catch (error) {
        if (this.isClosed) return
        state.trouble.value = troubleOf(error)
        state.status.value = 'failed'
        this.close()
        // The recording up to now is kept.
        await this.take?.finish().catch(complain)
        this.take = undefined
      }
    }
  }

  pause(): void {
    this.isPaused = true
    this.driving?.pause()
  }

  play(): void {
    this.isPaused = false
    this.meter.restart()
    this.driving?.play()
  }

  /** Shows the present frame once more, if the session is paused. */
  refresh(): void {
    this.isStale = true
    this.pulledPictures.again()
    if (this.isPaused) this.driving?.again()
  }

  /** The pose that drives now, as it is shown, becomes the reference. */
  takeReference(): void {
    if (this.driven !== undefined) this.reference.choose(this.driven)
  }

  rewind(): void {
    this.driving?.rewind()
    this.reference.restart()
  }

  close(): void {
    this.isClosed = true
    this.reference.end()
    this.driving?.close()
    this.pulledPictures.drop()
    this.painters.close()
    this.moved?.close()
    this.releasePicture()
    void this.animator.close()
  }

  /** Whether frames are whole pictures. */
  private get pastes(): boolean {
    return state.pastes.peek() && state.canPaste.peek()
  }

  /** Where the moved square is in a frame that is a whole picture. */
  private squareOf(frame: ImageBitmap | HTMLCanvasElement): Square | undefined {
    const { picture } = this.shown
    if (picture === undefined) return undefined
    const scale = frame.width / picture.width
    const { left, top, side } = picture.square
    return { left: left * scale, top: top * scale, side: side * scale }
  }

  /** Shows people before a webcam the pose of the picture, until they have taken it. */
  private showWanted({ poseDistance, ...driving }: TrackedPicture): void {
    const { picture } = this.shown
    const isWanted = state.motion.peek() === 'relative' && state.reference.peek().kind !== 'chosen'
    if (state.driving.peek().kind !== 'webcam' || !isWanted || !state.outline.peek()) return
    if (picture === undefined || this.rest === undefined) return
    drawWanted(this.stages.driving, { ...picture, pose: this.rest }, driving)
    if (poseDistance !== undefined) state.nearness.value = nearnessOf(poseDistance, driving.value.length)
  }

  /** Ties the strings to the present picture. */
  private async tieStrings(): Promise<void> {
    if (this.rest !== undefined) await puppetry.tie(chosenRun.peek(), this.rest, this.seen)
    // A picture that was asked for meanwhile has the pose of the one before.
    this.pulledPictures.drop()
    this.meter.restart()
  }

  /** Shows the picture as the strings are pulled, if that has changed. */
  private async pose(): Promise<void> {
    const made = await this.pulledPictures.next(!this.isPaused)
    if (made === undefined) return puppetry.settle((tried) => this.found(tried))
    const { frame, pose, paste, milliseconds } = made
    if (this.isClosed || !this.isPulled) return frame.close()
    await this.show(frame)
    // What is shown is enlarged already, which takes longer than a copy.
    const { result } = this.stages
    drawSquare(this.stages.driving, result, paste ? this.squareOf(result) : undefined)
    drawOverlay(this.stages.driving, pose, {
      ...{ points: true, axes: state.axes.peek(), heatmap: false },
      taken: puppetry.taken.peek(),
    })
    if (!this.isPaused) this.meter.add({ prepare: 0, detect: 0, ...milliseconds })
  }

  /** The keypoints of the picture, moved to a pose. */
  private async found(pose: Pose): Promise<Pose | undefined> {
    if (this.isClosed || !this.isPulled) return
    const { frame } = await this.animator.pose(pose)
    try {
      return await this.animator.track(frame)
    } finally {
      frame.close()
    }
  }

  private async step(): Promise<void> {
    if (this.isPulled) return this.pose()
    const { driving } = this
    const frame = await driving?.next()
    if (driving === undefined || frame === undefined) return
    const choice = {
      points: state.points.peek(),
      axes: state.axes.peek(),
      heatmap: state.heatmap.peek(),
    }
    const smoothing = { minCutoff: state.minCutoff.peek(), beta: state.beta.peek() }
    try {
      const { drivingSquare } = this
      const crop = await drivingSquare.of(frame, (head) => {
        if (driving === this.driving) state.drivingFace.value = head === undefined ? 'none' : 'face'
      })
      if (driving !== this.driving) return
      const { pastes: paste } = this
      const animated = await this.animator.animate(frame, {
        ...(crop && { crop }),
        time: driving.time(),
        absolute: state.motion.peek() === 'absolute',
        smoothing: state.smooths.peek() && smoothing,
        heatmap: choice.heatmap,
        paste,
      })
      // What drives may have changed meanwhile: then neither this frame nor its square is shown.
      if (this.isClosed || driving !== this.driving) {
        animated.frame.close()
        return
      }
      const [width, height] = sizeOf(frame)
      // Somebody may have moved the square meanwhile.
      const square = drivingSquare.at([width, height]) ?? middleOf(width, height)
      this.shown.driving = { width, height, square }
      drawSquare(this.stages.driving, frame, crop)
      const { value, jacobian } = animated.driving
      this.driven = { value, ...(jacobian && { jacobian }) }
      this.showWanted(animated.driving)
      drawOverlay(this.stages.driving, animated.driving, choice)
      await this.show(animated.frame)
      const pasted = paste ? this.squareOf(animated.frame) : undefined
      this.seen = [...this.seen.slice(-149), animated.moved]
      const axesAlone = { ...choice, points: false, heatmap: false }
      drawOverlay(this.stages.result, animated.moved, axesAlone, pasted)
      this.reference.seek(driving, crop)
      state.hasMoved.value = true
      if (!this.isPaused) this.meter.add(animated.milliseconds)
      showComputing(this.animator)
    } finally {
      frame.close()
    }
  }
}
