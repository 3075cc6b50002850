// The tables of losses, of `train` and of `distil`: the name of each, its usual weight, a line of help, and how it is built.
// Configurations, steps, --losses and reports read them; users register losses of their own.
import { z } from 'zod'
import type { Graph, Value } from '../graph/graph.ts'
import type { Scope } from '../layers/scope.ts'
import type { Keypoints } from '../motion/keypoints.ts'
import { InputError } from '../util/errors.ts'
import {
  adaptedFeatures,
  attentionDifference,
  divergence,
  featureDifference,
  heatmapDifference,
  meanDistance,
  meanSquare,
  relativeEntropy,
} from './distil/losses.ts'
import {
  adversarialLoss,
  featureMatchingLoss,
  type Judgement,
  type PerceptualLoss,
} from './reconstruction/judges.ts'
import {
  flowLoss,
  type KnownMotion,
  keptDifference,
  nearPointsDifference,
  occlusionLoss,
  openingDifference,
  tiedDistance,
} from './reconstruction/label-losses.ts'
import {
  jacobianEquivariance,
  l1,
  pyramidLoss,
  type Transform,
  valueEquivariance,
} from './reconstruction/losses.ts'

/** What a loss of every kind says of itself. */
export interface DescribedLoss {
  /** Its name in options, configurations, metrics and reports: letters and digits, such as `perceptual`. */
  readonly name: string
  /** One line, for help and documentation. */
  readonly help: string
  /** The weight that it has if none is given. 0 leaves a loss out. */
  readonly weight: number
}

/** Weights of losses by their names: losses of a table, and registered ones. */
export type LossWeights<N extends string = string> = { readonly [K in N]?: number } & {
  readonly [name: string]: number | undefined
}

/** The losses of one way of training: the table's own, then the registered ones. */
export class LossTable<L extends DescribedLoss> {
  private readonly losses: Map<string, L>

  /** @param task what they are losses of, for messages */
  constructor(
    private readonly task: string,
    own: readonly L[],
  ) {
    this.losses = new Map(own.map((loss) => [loss.name, loss]))
  }

  get all(): readonly L[] {
    return [...this.losses.values()]
  }

  get names(): readonly string[] {
    return [...this.losses.keys()]
  }

  /**
   * Adds a loss. To register the same object again changes nothing.
   *
   * @throws InputError if a part is missing, or another loss has the name.
   */
  register(loss: L): void {
    const { name, weight } = loss
    if (typeof name !== 'string' || !/^[a-z][a-zA-Z0-9]*$/.test(name)) {
      throw new InputError({
        what: 'the name of a loss cannot be used',
        got: String(name),
        expected: 'letters and digits, such as sharpness',
      })
    }
    if (typeof weight !== 'number' || !(weight >= 0)) {
      throw new InputError({
        what: `the loss "${name}" has no usual weight`,
        got: String(weight),
        expected: 'a number of 0 or more',
      })
    }
    const before = this.losses.get(name)
    if (before !== undefined && before !== loss) {
      throw new InputError({
        what: `there is another loss "${name}" of ${this.task}`,
        remedy: 'give this one another name',
      })
    }
    this.losses.set(name, loss)
  }

  /** The weights of all losses: the given ones, and the usual ones of the others. @throws InputError if all are 0 */
  weights(given: LossWeights = {}): Record<string, number> {
    const usual = this.all.map(({ name, weight }) => [name, weight] as const)
    const wanted = Object.entries(given).filter((entry): entry is [string, number] => entry[1] !== undefined)
    const weights = Object.fromEntries([...usual, ...wanted])
    if (Object.values(weights).some((weight) => weight !== 0)) return weights
    throw new InputError({ what: `all losses of ${this.task} have weight 0`, remedy: 'weigh one of them' })
  }

  /** The schema of weights by name, as a configuration records them. A loss that is not recorded has the weight 0. */
  get schema(): z.ZodType<Record<string, number>> {
    return z.record(z.string(), z.number().nonnegative()).superRefine((weights, context) => {
      for (const name of Object.keys(weights)) {
        if (this.losses.has(name)) continue
        const message = `expected a loss of ${this.task}: ${this.names.join(', ')}, or one that registerLoss or a plugin added`
        context.addIssue({ code: 'custom', path: [name], message })
      }
    })
  }
}

/** What a loss of training without labels is built from: values of the step's graph, for N pairs of frames. */
export interface TrainLossInput {
  /** The step's graph. */
  readonly graph: Graph
  /** Source frames [N, 3, H, W] in [0, 1], or what of them is painted in this step. */
  readonly source: Value
  /** Driving frames [N, 3, H, W] in [0, 1], or what of them is painted, which the prediction is to be like. */
  readonly driving: Value
  /** What the model makes of a source and the motion of its driving frame, [N, 3, H, W] in [0, 1]. */
  readonly prediction: Value
  /** Keypoints: `value` [N, K, 2] in [-1, 1], and `jacobian` [N, K, 2, 2] if the model has them. */
  readonly kpSource: Keypoints
  /** Keypoints of the driving frames, as `kpSource`. */
  readonly kpDriving: Keypoints
  /** Keypoints of the driving frames under random warps, T⁻¹ D; not for losses that say that they need no warps. */
  readonly kpTransformed: Keypoints
  /** These warps, T. */
  readonly transform: Transform
  /** Scales of image pyramids, each half of the one before. */
  readonly scales: number
  /** The network that compares pictures by features, if the run has one. */
  readonly perceptual: PerceptualLoss | undefined
  /** Where each pixel of the driving frame comes from in the source, as the model has it, [N, h, w, 2] in [-1, 1]. */
  readonly deformation: Value
  /** 1 where the source shows what is needed, as the model has it, [N, 1, h, w]. */
  readonly occlusionMap: Value | undefined
  /** What the discriminator says of driving frames and predictions, if a loss that needs one has a weight. */
  readonly judgement: Judgement | undefined
  /** What is known of the pairs, if there are synthetic clips among the clips. */
  readonly known: KnownMotion | undefined
  /** Keypoints of both frames as the run found them when training began, if a loss that keeps them has a weight. */
  readonly kpBefore: readonly [source: Keypoints, driving: Keypoints] | undefined
}

/** A loss of training without labels. It has no parameters of its own. */
export interface TrainLoss extends DescribedLoss {
  /** The way of training that has the loss. */
  readonly of: 'train'
  /** Whether the loss reads `kpTransformed` and `transform` (default: yes): a third of the work, if no other loss does. */
  readonly warps?: false
  /** Whether the loss reads `kpBefore` (default: no). If a loss of a step does, the run that is trained further is read too. */
  readonly keeps?: true
  /** Whether the loss reads `judgement` (default: no). If a loss of a step does, a discriminator is trained beside it. */
  readonly judged?: true
  /**
   * What the loss sees, if not patches of pictures: keypoints alone, or dense motion too, so that it is left out while they
   * rest; or whole pictures. If all losses of a step see keypoints alone, the generator rests.
   */
  readonly sees?: 'keypoints' | 'motion' | 'whole pictures'
  /** Builds the loss, a scalar, before it is weighted. Undefined if this model or run lacks what it compares. */
  build(input: TrainLossInput): Value | undefined
}

/** Weights of the losses of `train`, by name. */
export type TrainLosses = LossWeights<
  | 'reconstruction'
  | 'perceptual'
  | 'equivarianceValue'
  | 'equivarianceJacobian'
  | 'flow'
  | 'occlusion'
  | 'landmarks'
  | 'openings'
  | 'kept'
  | 'nearPoints'
  | 'adversarial'
  | 'featureMatching'
>

/** The losses of `train`. Metrics and sums have them in this order. */
export const trainLosses = new LossTable<TrainLoss>('train', [
  {
    ...{ of: 'train', name: 'reconstruction', weight: 10, warps: false },
    help: 'absolute difference of result and driving frame, and of their slopes, over a pyramid of halved pictures',
    build: ({ prediction, driving, scales }) => pyramidLoss(prediction, driving, scales),
  },
  {
    ...{ of: 'train', name: 'perceptual', weight: 10, warps: false },
    help: 'absolute difference of the features of the network that --perceptual names',
    build: ({ graph, prediction, driving, perceptual }) => perceptual?.build(graph, prediction, driving),
  },
  {
    ...{ of: 'train', name: 'equivarianceValue', weight: 1, sees: 'keypoints' },
    help: 'keypoints move along with the picture under a random warp',
    build: ({ kpDriving, kpTransformed, transform }) =>
      valueEquivariance(kpDriving, kpTransformed, transform),
  },
  {
    ...{ of: 'train', name: 'equivarianceJacobian', weight: 1, sees: 'keypoints' },
    help: 'jacobians of keypoints change along with the picture under a random warp',
    build: ({ kpDriving, kpTransformed, transform }) =>
      jacobianEquivariance(kpDriving, kpTransformed, transform),
  },
  {
    ...{ of: 'train', name: 'flow', weight: 20, warps: false, sees: 'motion' },
    help: 'distance of the motion from the true one, on synthetic clips',
    build: ({ known, deformation }) => known && flowLoss(deformation, known),
  },
  {
    ...{ of: 'train', name: 'occlusion', weight: 0.5, warps: false, sees: 'motion' },
    help: 'cross-entropy of the occlusion map and the true one, on synthetic clips',
    build: ({ known, occlusionMap }) => known && occlusionMap && occlusionLoss(occlusionMap, known),
  },
  {
    ...{ of: 'train', name: 'landmarks', weight: 20, warps: false, sees: 'keypoints' },
    help: 'distance of tied keypoints from the points that --tie names, on synthetic clips',
    build: ({ known, kpSource, kpDriving }) => known && tiedDistance(kpSource, kpDriving, known),
  },
  {
    ...{ of: 'train', name: 'openings', weight: 20, warps: false, sees: 'keypoints' },
    help: 'difference of the openings of eyes and mouth between tied keypoints, with --tie face',
    build: ({ known, kpSource, kpDriving }) => known && openingDifference(kpSource, kpDriving, known),
  },
  {
    ...{ of: 'train', name: 'kept', weight: 0, warps: false, sees: 'keypoints', keeps: true },
    help: 'distance of jacobians, and of keypoints of which nothing is known, from those of the run that --from names',
    build: ({ kpSource, kpDriving, kpBefore, known }) =>
      kpBefore && keptDifference([kpSource, kpDriving], kpBefore, known),
  },
  {
    ...{ of: 'train', name: 'nearPoints', weight: 5, warps: false, sees: 'whole pictures' },
    help: 'absolute difference of result and driving frame near known points, on synthetic clips',
    build: ({ known, prediction, driving }) => known && nearPointsDifference(prediction, driving, known),
  },
  {
    ...{ of: 'train', name: 'adversarial', weight: 0, warps: false, judged: true },
    help: 'squared difference from 1 of what a discriminator, which is trained beside, says of results',
    build: ({ judgement }) => judgement && adversarialLoss(judgement),
  },
  {
    ...{ of: 'train', name: 'featureMatching', weight: 0, warps: false, judged: true },
    help: "absolute difference of the discriminator's maps of result and driving frame (published: 10)",
    build: ({ judgement }) => judgement && featureMatchingLoss(judgement),
  },
])

/** Losses that read what is known of synthetic clips. */
export const labelLosses: readonly string[] = ['flow', 'occlusion', 'landmarks', 'openings', 'nearPoints']

/** What a teacher may find in one frame. */
export type FrameLabel = 'value' | 'jacobian' | 'heatmap' | 'features'

/** What a pair of frames is compared by, if the whole model is distilled. */
export type PairLabel = 'driving' | 'picture' | 'flow' | 'occlusion'

/** The results that student and teacher can be compared by. */
export type LabelName = FrameLabel | PairLabel

/** What a loss of distillation is built from: values of the step's graph. */
export interface DistilLossInput {
  /** The student's result that the loss compares; see `DistilLoss.needs`. */
  readonly found: Value
  /** The teacher's, of the same shape, but for the channels of features. */
  readonly label: Value
  /** Hands out parameters that only training needs. They are thrown away afterwards. */
  readonly scope: Scope
}

/** A loss of distillation. */
export interface DistilLoss extends DescribedLoss {
  /** The way of training that has the loss. */
  readonly of: 'distil'
  /**
   * The result that it compares: keypoints `value` [N, K, 2] in [-1, 1], their `jacobian` [N, K, 2, 2], `heatmap`
   * [N, K, h, w] with sums of 1, or `features` [N, C, h, w], the last maps before the head. The teacher must give it.
   *
   * If the whole model is distilled, N / 2 pairs have more: the `driving` frame and the teacher's `picture` of it, both
   * [N / 2, 3, H, W] in [0, 1], with which the student's own picture is compared; `flow` [N / 2, h, w, 2], where each point
   * comes from in the source; and `occlusion` [N / 2, h, w], 1 where the source shows what is needed.
   */
  readonly needs: LabelName
  /** Builds the loss, a scalar, before it is weighted. */
  build(input: DistilLossInput): Value
}

/** Weights of the losses of `distil`, by name. */
export type DistilLosses = LossWeights<
  | 'value'
  | 'distance'
  | 'jacobian'
  | 'heatmap'
  | 'divergence'
  | 'attention'
  | 'features'
  | 'reconstruction'
  | 'picture'
  | 'flow'
  | 'occlusion'
>

/**
 * The losses of `distil`. Published (AIOZ, "Lightweight models for motion driving", part 4) are `value` and `jacobian`,
 * then `heatmap`, then `attention`, added one after the other.
 */
export const distilLosses = new LossTable<DistilLoss>('distil', [
  {
    ...{ of: 'distil', name: 'value', weight: 0, needs: 'value' },
    help: "mean squared difference of the keypoints' coordinates",
    build: ({ found, label }) => meanSquare(found, label),
  },
  {
    ...{ of: 'distil', name: 'distance', weight: 10, needs: 'value' },
    help: 'mean distance of the keypoints, which is measured in the end',
    build: ({ found, label }) => meanDistance(found, label),
  },
  {
    ...{ of: 'distil', name: 'jacobian', weight: 1, needs: 'jacobian' },
    help: "mean squared difference of the jacobians' entries",
    build: ({ found, label }) => meanSquare(found, label),
  },
  {
    ...{ of: 'distil', name: 'heatmap', weight: 0, needs: 'heatmap' },
    help: 'squared difference of the heatmaps, summed over a map',
    build: ({ found, label }) => heatmapDifference(found, label),
  },
  {
    ...{ of: 'distil', name: 'divergence', weight: 1, needs: 'heatmap' },
    help: 'Jensen-Shannon divergence of the heatmaps',
    build: ({ found, label }) => divergence(found, label),
  },
  {
    ...{ of: 'distil', name: 'attention', weight: 0, needs: 'features' },
    help: 'squared difference of the attention maps, summed over a map (Zagoruyko and Komodakis 2017)',
    build: ({ found, label }) => attentionDifference(found, label),
  },
  {
    ...{ of: 'distil', name: 'features', weight: 0, needs: 'features' },
    help: "mean squared difference of the features, the student's through a 1x1 convolution (Romero et al. 2015)",
    build: ({ found, label, scope }) =>
      featureDifference(adaptedFeatures(scope, found, label.shape[1]!), label),
  },
  {
    ...{ of: 'distil', name: 'reconstruction', weight: 10, needs: 'driving' },
    help: 'with --what model: absolute difference of result and driving frame, as the loss of train',
    build: ({ found, label }) => pyramidLoss(found, label, pictureScales),
  },
  {
    ...{ of: 'distil', name: 'picture', weight: 10, needs: 'picture' },
    help: "with --what model: the same of result and the teacher's result",
    build: ({ found, label }) => pyramidLoss(found, label, pictureScales),
  },
  {
    ...{ of: 'distil', name: 'flow', weight: 20, needs: 'flow' },
    help: "with --what model: distance of the motion from the teacher's",
    build: ({ found, label }) => l1(found, label),
  },
  {
    ...{ of: 'distil', name: 'occlusion', weight: 0.5, needs: 'occlusion' },
    help: "with --what model: cross-entropy of the occlusion map and the teacher's, less that of the teacher's own",
    build: ({ found, label }) => relativeEntropy(found, label),
  },
])

/** Scales of pictures that `distil` compares, each half of the one before. */
const pictureScales = 4

/**
 * Makes a loss of one's own known by its name: it counts with its usual weight in runs that are begun afterwards, and
 * `losses` can give it another. To register the same object again changes nothing.
 *
 * @throws InputError for an object that is no loss, or a name that another loss has.
 */
export function registerLoss(loss: TrainLoss | DistilLoss): void {
  if (loss?.of === 'train') trainLosses.register(loss)
  else if (loss?.of === 'distil') distilLosses.register(loss)
  else {
    throw new InputError({
      what: 'this is not a loss',
      where: 'registerLoss',
      expected: "an object of the type TrainLoss or DistilLoss, with `of: 'train'` or `of: 'distil'`",
    })
  }
}
