// pantin: light keypoint detectors for motion driving. The names below are public; all others may change without notice.

// The main work: train on a clip, animate a picture, track keypoints, measure.
export { type AnimateOptions, type AnimateResult, animate } from './animate/animate.ts'
export {
  type AnimatedFrame,
  type AnimateFramesOptions,
  type AnimateProgress,
  animateFrames,
  type MovedFrame,
} from './animate/animate-frames.ts'
export {
  type TrackedFrame,
  type TrackHeader,
  type TrackOptions,
  track,
  type WriteTrackOptions,
  type WriteTrackResult,
  writeTrack,
} from './animate/track.ts'
export type { TransferOptions } from './animate/transfer.ts'
// Clips and pictures by name.
export { type OpenClipOptions, openClip, readSource } from './clips/source.ts'
// A run made smaller and faster.
export {
  type CompressionReport,
  type CompressionStep,
  type CompressOptions,
  compress,
} from './compress/compress.ts'
export {
  type CompressionTrial,
  planDetector,
  type Sensitivity,
} from './compress/eight-bits.ts'
export type { Difference, PartTimes } from './compress/measure.ts'
export type { CompressionTarget, PlanOptions, PruneCriterion, RangeMethod } from './compress/options.ts'
export {
  type PrunedNumbers,
  type PruneOptions,
  type PruneReport,
  type Pruning,
  prune,
} from './compress/prune.ts'
// Checkpoints in, ONNX out.
export {
  type ExportedModel,
  type ExportOptions,
  exportFolder,
  type FrameForm,
  type InputShape,
  type PackedRun,
  type PackRunOptions,
  type Precision,
  packRun,
} from './convert/export-folder.ts'
export { type ImportOptions, type ImportResult, importCheckpoint } from './convert/import-checkpoint.ts'
export { type EvaluateOptions, evaluate } from './evaluate/evaluate.ts'
export type { EvaluatedFrame } from './evaluate/evaluated-frame.ts'
export type { Akd, Likeness, TransferError, VideoReconstruction } from './evaluate/generation.ts'
export type { HeadLandmarkErrors, LandmarkPart, SkinThird } from './evaluate/head-landmarks.ts'
// Measures of a model.
export type { Equivariance, Jitter, TeacherDistance } from './evaluate/keypoint-measures.ts'
export type { LandmarkErrors, RegressionErrors } from './evaluate/landmarks.ts'
export {
  type DetectorEvaluation,
  type DetectorMeasures,
  type Evaluation,
  type Measure,
  type MeasureMeter,
  registerMeasure,
} from './evaluate/measures.ts'
export type { Crop } from './faces/box.ts'
export type { Face } from './faces/finder.ts'
export type { ClipSquare, FramedBy, Framing } from './faces/framing.ts'
export { type CropOptions, type FittedPicture, findFaces, fitSource } from './faces/node.ts'
export type { EncodeOptions, TensorFile } from './formats/safetensors/bytes.ts'
export { readSafetensors, writeSafetensors } from './formats/safetensors/safetensors.ts'
// Graphs, and the language that networks are written in.
export { Graph } from './graph/graph.ts'
export type {
  Attr,
  Attrs,
  Builder,
  GradientRule,
  GradientUse,
  Node,
  OnnxAttribute,
  OnnxEmitter,
  OpDef,
  OpUse,
  Pair,
  Plain,
  Reach,
  TensorType,
  Value,
} from './graph/op.ts'
export * as ops from './graph/ops/index.ts'
export { initialise, parametersOf } from './graph/ops/leaf.ts'
export type { DType, Shape, Tensor, TypedData } from './graph/tensor.ts'
export * as layers from './layers/index.ts'
export { type Clipping, type Dilations, Scope, type ScopeOptions } from './layers/scope.ts'
// Frames in and out.
export type { Clip, Frame, FrameRange } from './media/clip.ts'
export { createFitter, type FitMode, type Fitter, type Square } from './media/fit.ts'
export type { Mark } from './media/mark.ts'
export { readPicture, writePicture } from './media/picture.ts'
export type { Window } from './media/resample.ts'
export type { Sound, SoundConfig, SoundPacket } from './media/sound.ts'
export {
  createVideoWriter,
  type VideoWriter,
  type VideoWriterOptions,
  type WriterCodec,
} from './media/video-out.ts'
// Models and detectors, opened.
export type { Keypoints } from './model/keypoint-detector.ts'
export type { ModelPart } from './model/loaded-run.ts'
export {
  type Detections,
  type KeypointDetector,
  type OpenDetectorOptions,
  openDetector,
} from './model/open-detector.ts'
export {
  type EncodedPicture,
  type ModelOptions,
  type MotionModel,
  openModel,
  type RunReference,
} from './model/open-model.ts'
// Files that bring networks of your own.
export { loadPlugin } from './model/plugin.ts'
export { type MotionConfig, publishedConfig, type SmallConfigOptions, smallConfig } from './motion/config.ts'
export type { Keypoints as KeypointValues } from './motion/keypoints.ts'
export { detectorGraph, type GraphOptions, generatorGraph } from './motion/model.ts'
export { type Ahead, type OpenInput, type ToOnnxOptions, toOnnx } from './onnx/export.ts'
export { type FromOnnxOptions, fromOnnx, type OnnxModel } from './onnx/import.ts'
export type { EightBitPlan, EightBitScale } from './optimise/eight-bits.ts'
// What networks cost, side by side.
export type { Latency } from './profile/latency.ts'
export {
  type DetectorProfile,
  type DetectorProfileOptions,
  type LayerProfile,
  type NetProfile,
  type NetProfileOptions,
  type Profile,
  profile,
  profileDetector,
  profileNet,
} from './profile/profile.ts'
export type { Machine } from './run/config-file.ts'
export { type Starter, starters } from './run/starters.ts'
export { type DeviceReport, describeDevices } from './runtime/devices.ts'
export { createSession, type SessionOptions } from './runtime/node.ts'
export type { Device, Optimise, PortType, Session, Tensors } from './runtime/session.ts'
export type {
  AccuracyKind,
  ComparedAs,
  ComparedRow,
  CompareProgress,
  Comparison,
  Skipped,
} from './study/candidates.ts'
export { type CompareOptions, compare } from './study/compare.ts'
export type { Finalist, SearchReport, Tried } from './study/search/choose.ts'
export type { SearchPlan } from './study/search/plan.ts'
export { type SearchOptions, type SearchProgress, search } from './study/search/search.ts'
export type { Trial, TrialPlan } from './study/trials/plan.ts'
export type { TrialState, TrialsProgress } from './study/trials/run-trials.ts'
export type { Advice, TrainedComparison, TrainedRow } from './study/trials/study.ts'
export { type CompareTrainedOptions, compareTrained, type StudyOptions, study } from './study/trials/study.ts'
export type { Choice, Recommendation, Spread, Summary } from './study/trials/summary.ts'
export type { Flow, FlowClip } from './synthetic/made-clips.ts'
export { type PuppetFrame, type PuppetOptions, puppetClip } from './synthetic/puppet/puppet.ts'
export type { RunConfig, TrainingConfig } from './train/config.ts'
export {
  type DescribedLoss,
  type DistilLoss,
  type DistilLosses,
  type DistilLossInput,
  type FrameLabel,
  type LabelName,
  type LossWeights,
  type PairLabel,
  registerLoss,
  type TrainLoss,
  type TrainLosses,
  type TrainLossInput,
} from './train/losses.ts'
export type { Judgement, PerceptualLoss } from './train/reconstruction/judges.ts'
export type { KnownMotion, Tie } from './train/reconstruction/label-losses.ts'
export type { Transform } from './train/reconstruction/losses.ts'
export type {
  EndEvent,
  PrepareEvent,
  PreviewEvent,
  SavedEvent,
  StepEvent,
  TrainEvent,
} from './train/step.ts'
export { type DistilOptions, distil, type TrainedRun, type TrainOptions, train } from './train/train.ts'
// Expected errors: each says what is wrong, where, and what to do.
export * from './util/errors.ts'
export { Random, type RandomState } from './util/random.ts'
export { version } from './util/version.ts'
// The zoo of networks.
export type { Design } from './zoo/design.ts'
export type {
  BuildOptions,
  FeatureMap,
  FeatureOptions,
  Features,
  Net,
  NetOptions,
  NetOptionsKey,
  Paper,
  UnusedParameter,
} from './zoo/net.ts'
export {
  findNet,
  listNets,
  type NetName,
  type NetworkGraphOptions,
  netNames,
  networkGraph,
  registerNet,
  zoo,
} from './zoo/registry.ts'
