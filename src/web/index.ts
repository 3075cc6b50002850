// pantin in a page: live keypoints, animation and training in the browser. All computing runs in workers.
// These are the public names of `pantin/web`; anything else may change without notice.
export type { Face } from '../faces/finder.ts'
export type { FramedBy, Framing } from '../faces/framing.ts'
export type { FrameRange } from '../media/clip.ts'
export type { Square } from '../media/fit.ts'
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
export type * from '../train/events.ts'
export { isModelOption, pageOptions as trainOptions } from '../train/options.ts'
export {
  EnvironmentError,
  FormatError,
  GraphError,
  InputError,
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
} from '../util/options.ts'
export type { Paper } from '../zoo/net.ts'
export { type ClipFrame, type ClipOptions, openClip, type WebClip } from './clip.ts'
export type { Notice, WebPlace, WorkerPlace } from './connection.ts'
export { FaceFinder } from './faces.ts'
export {
  type AnimatedPicture,
  type AnimatePictureOptions,
  Animator,
  type Heatmap,
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
export { frameOfVideo, type Picture } from './picture.ts'
export { isPantinError } from './protocol.ts'
export { type OpenRunOptions, openRun, type RunFiles, type WebRun } from './run.ts'
export { type StoredRun, storedRuns } from './stored-runs.ts'
export type {
  ErrorAnswer,
  RunDetails,
  RunListing,
  RunMetrics,
  RunSummary,
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
export { createVideoWriter, type WebVideoWriter, type WebVideoWriterOptions } from './video-writer.ts'
