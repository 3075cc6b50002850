// The library's side in a worker, packed into one file (`tsdown.config.ts`). A worker serves one object of the page:
// a model, a finder of faces, a clip, a video in the making, a training, or one question about networks.
import type { FaceFinder } from '../faces/finder.ts'
import { InputError } from '../util/errors.ts'
import type { ClipMethods, OpenedClip, RecordingMethods } from './clip.ts'
import type { ModelMethods, OpenedModel } from './model.ts'
import type { NetworkMethods } from './networks.ts'
import type { FaceMethods } from './picture.ts'
import type { TrainingMethods } from './trainer.ts'
import { ClipWorker } from './worker/clip.ts'
import { findFaces, serve, webFaces } from './worker/device.ts'
import { ModelWorker } from './worker/model.ts'
import { listNetworks, profileNetwork, timeNetwork } from './worker/networks.ts'
import { RecordingWorker } from './worker/recording.ts'
import { TrainingWorker } from './worker/training.ts'
import { beginRun, reopenRun } from './worker/training-run.ts'

let model: ModelWorker | undefined
let faces: FaceFinder | undefined
let clip: ClipWorker | undefined
let recording: RecordingWorker | undefined
let training: TrainingWorker | undefined

serve<ModelMethods & FaceMethods & ClipMethods & RecordingMethods & TrainingMethods & NetworkMethods>({
  openModel: async (request): Promise<OpenedModel> => {
    const { worker, opened } = await ModelWorker.open(request)
    model = worker
    return opened
  },
  track: ({ picture, options }) => opened(model).track(picture, options),
  setSource: ({ picture, options }) => opened(model).setSource(picture, options),
  resetReference: () => opened(model).resetReference(),
  setReference: (pose) => opened(model).setReference(pose),
  animate: ({ picture, options }) => opened(model).animate(picture, options),
  pose: ({ pose, options }) => opened(model).pose(pose, options),

  openFaces: async ({ place }) => {
    faces = await webFaces(place)
  },
  findFaces: ({ picture }) => findFaces(opened(faces), picture),

  openClip: async ({ source, assets, options }): Promise<OpenedClip> => {
    const { worker, opened } = await ClipWorker.open(source, assets, options)
    clip = worker
    return opened
  },
  beginFrames: (range) => opened(clip).begin(range),
  nextFrame: ({ pass }) => opened(clip).next(pass),
  endFrames: ({ pass }) => opened(clip).end(pass),

  openRecording: async (options) => {
    recording = await RecordingWorker.open(options)
    const { format, codec, sound } = recording
    return { format, codec, sound }
  },
  record: ({ picture, time }) => opened(recording).add(picture, time),
  finishRecording: () => opened(recording).finish(),

  train: async (request) => {
    training = await TrainingWorker.begin(request.name, request.place, () => beginRun(request))
  },
  resumeTraining: async ({ name, place }) => {
    training = await TrainingWorker.begin(name, place, () => reopenRun(name))
  },
  trained: () => opened(training).ended,
  pauseTraining: () => opened(training).pause(),

  listNetworks,
  profileNetwork: ({ name, as }) => profileNetwork(name, as),
  timeNetwork: ({ name, rounds, place }) => timeNetwork(name, rounds, place),
})

function opened<T>(object: T | undefined): T {
  if (object !== undefined) return object
  throw new InputError({ what: 'the worker has nothing open', remedy: 'open it first' })
}
