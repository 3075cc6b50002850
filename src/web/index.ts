// pantin in a page: live keypoints, animation and training in the browser. All computing runs in workers.
// These are the public names of `pantin/web`; anything else may change without notice.
export type { Face } from '../faces/finder.ts'
export type { FramedBy, Framing } from '../faces/framing.ts'
export type { FrameRange } from '../media/clip.ts'
export type { Square } from '../media/fit.ts'
export type { Mark } from '../media/mark.ts'
export { OneEuroFilter, type Smoothing } from '../model/one-euro.ts'
export type { MotionConfig } from '../motion/config.ts'
// Pure functions that reports draw networks and numbers with. They load nothing.
export { paretoFront } from '../profile/costs.ts'
export type { Diagram, DiagramEdge, DiagramPart, Stage } from '../profile/diagram.ts'
export { formatScaled, formatSeconds, percent } from '../report/format.ts'
export {
  type DiagramBlock,
  type DiagramBracket,
  type DiagramLayout,
  type DiagramLine,
  layOutDiagram,
} from '../report/network-diagram.ts'
export { logScale, type Scale } from '../report/plot-layout.ts'
export type { MetricsPage, MetricsRecord } from '../run/run-files.ts'
export { type Starter, starters } from '../run/starters.ts'
export type { WebDevice } from '../runtime/web-runtime.ts'
export { isModelOption, pageOptions as trainOptions } from '../train/options.ts'
export type {
  CropEvent,
  EndEvent,
  PrepareEvent,
  PreviewEvent,
  SavedEvent,
  StepEvent,
  StillEvent,
  TrainEvent,
} from '../train/step.ts'
export {
  EnvironmentError,
  FormatError,
  GraphError,
  InputError,
  isPantinError,
  PantinError,
  type Problem,
  TrainingError,
} from '../util/errors.ts'
export type {
  ChoiceOption,
  NumberOption,
  Option,
  OptionTable,
  OptionValue,
  OptionValues,
  SwitchOption,
  TextOption,
  Worded,
} from '../util/options.ts'
export type { Paper } from '../zoo/net.ts'
export {
  type ClipFrame,
  type ClipOptions,
  createVideoWriter,
  markPicture,
  openClip,
  type WebClip,
  type WebVideoWriter,
  type WebVideoWriterOptions,
} from './clip.ts'
export type { Notice, WebPlace, WorkerPlace } from './connection.ts'
export {
  type AnimatedPicture,
  type AnimatePictureOptions,
  Animator,
  type Heatmap,
  type Pose,
  type PosedPicture,
  type PoseOptions,
  type TrackedPicture,
  Tracker,
  type TrackPictureOptions,
  type WebModel,
} from './model.ts'
export {
  listNetworks,
  type NetworkBlock,
  type NetworkFacts,
  type NetworkProfile,
  type NetworkTime,
  profileNetwork,
  type TimeOptions,
  timeNetwork,
} from './networks.ts'
export { FaceFinder, frameOfVideo, type Picture } from './picture.ts'
export { type OpenRunOptions, openRun, type RunFiles, type WebRun } from './run.ts'
export { type StoredRun, storedRuns } from './stored-runs.ts'
export type {
  ErrorAnswer,
  RunDetails,
  RunListing,
  RunMetrics,
  RunSummary,
  SearchBest,
  SearchSummary,
  StudyErrors,
  StudySummary,
  TokenHeader,
} from './studio-api.ts'
export {
  type FailedEvent,
  type NoticeEvent,
  Trainer,
  type TrainPlace,
  type TrainSettings,
  type WebTrainEvent,
} from './trainer.ts'
