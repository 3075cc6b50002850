/**
 * pantin: light keypoint detectors for motion driving. These are the public names; anything else may change
 * without notice.
 */

// The main job: train on a clip, animate a picture, track keypoints, measure.
export { type AnimateOptions, type AnimateResult, animate } from './animate/animate.ts'
export { animateFrames } from './animate/animate-frames.ts'
export { type TrackedFrame, type TrackOptions, track } from './animate/track.ts'
export { type WriteTrackOptions, writeTrack } from './animate/write-track.ts'
export { openClip, readSource } from './clips/source.ts'
export { type ExportedModel, type ExportOptions, exportFolder } from './convert/export-folder.ts'
export { type ImportOptions, type ImportResult, importCheckpoint } from './convert/import-checkpoint.ts'
export type { Equivariance } from './evaluate/equivariance.ts'
export {
  type DetectorEvaluation,
  type EvaluateOptions,
  type Evaluation,
  evaluate,
} from './evaluate/evaluate.ts'
export type { Jitter } from './evaluate/jitter.ts'
export type { TeacherDistance } from './evaluate/keypoint-distance.ts'
export type { LandmarkErrors } from './evaluate/landmarks.ts'
export { type Measure, type MeasureMeter, registerMeasure } from './evaluate/measures.ts'
export type { TransferError } from './evaluate/transfer-error.ts'
export type { Akd } from './evaluate/video-reconstruction.ts'
export { readSafetensors, writeSafetensors } from './formats/safetensors/safetensors.ts'
// Networks and the graphs that they are.
export { Graph, type Value } from './graph/graph.ts'
export * as ops from './graph/ops/index.ts'
export type { Tensor } from './graph/tensor.ts'
export * as layers from './layers/index.ts'
export { type Dilations, Scope } from './layers/scope.ts'
// Frames in and out.
export type { Clip } from './media/clip.ts'
export type { Frame } from './media/frame.ts'
export { readPicture, writePicture } from './media/picture.ts'
export { createVideoWriter } from './media/video-out.ts'
export type { Keypoints } from './model/keypoints.ts'
export { type MotionModel, openModel } from './model/open-model.ts'
export { type MotionConfig, publishedConfig, smallConfig } from './motion/config.ts'
export { detectorGraph, generatorGraph } from './motion/model.ts'
export { initialise, parametersOf } from './motion/weights.ts'
export { toOnnx } from './onnx/export.ts'
export { fromOnnx } from './onnx/import.ts'
export {
  type DetectorProfile,
  type NetProfile,
  type Profile,
  profile,
  profileDetector,
  profileNet,
} from './profile/profile.ts'
export { createSession, describeDevices } from './runtime/node.ts'
export type { Session } from './runtime/session.ts'
// What networks cost; checkpoints in, ONNX out.
export { type CompareOptions, type Comparison, compare } from './study/compare.ts'
export type { SearchReport } from './study/search/report.ts'
export { type SearchOptions, search } from './study/search/search.ts'
export type { TrainedComparison } from './study/trials/report.ts'
export {
  type CompareTrainedOptions,
  compareTrained,
  type StudyOptions,
  study,
} from './study/trials/study.ts'
export { puppetClip } from './synthetic/puppet/puppet.ts'
export type { RunConfig, TrainingConfig } from './train/config.ts'
export { type DistilOptions, distil } from './train/distil/distil.ts'
export { type TrainEvent, type TrainedRun, type TrainOptions, train } from './train/train.ts'
// What goes wrong on purpose.
export * from './util/errors.ts'
export { Random } from './util/random.ts'
export { version } from './util/version.ts'
export type { Net } from './zoo/net.ts'
export { networkGraph } from './zoo/network-graph.ts'
export { findNet, netNames, zoo } from './zoo/registry.ts'
