/** Frames in and out: video, pictures, made-up puppets. The names that other floors use. */
export { type Clip, type FrameRange, frameAt } from './clip.ts'
export { drawCross, drawDisc, drawLine, keypointPalette } from './draw.ts'
export { createFitter, type FitMode, type Fitter, middleSquare, type Square } from './fit.ts'
export {
  assertAtLeast,
  blankFrame,
  type Colour,
  copyFrame,
  type Frame,
  framePsnr,
  fromPixel,
  pixelAt,
  toPixel,
} from './frame.ts'
export { readPicture, writePicture } from './picture.ts'
export { type JointName, jointNames } from './puppet/figure.ts'
export { type PuppetFrame, type PuppetOptions, puppetClip, stillPuppet } from './puppet/puppet.ts'
export { contactSheet, pasteFrame, sideBySide } from './sheet.ts'
export { openClip, readSource } from './source.ts'
export { subjectCrop } from './subject.ts'
export { openVideo } from './video-in.ts'
export {
  createVideoWriter,
  type VideoWriter,
  type VideoWriterOptions,
  type WriterCodec,
} from './video-out.ts'
