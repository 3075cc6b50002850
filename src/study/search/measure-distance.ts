import { openClips } from '../../clips/source.ts'
import { firstDrivingFrame } from '../../evaluate/evaluate.ts'
import { type TeacherDistance, TeacherMeter } from '../../evaluate/teacher-distance.ts'
import type { Clip } from '../../media/clip.ts'
import { fitClip } from '../../media/fit-clip.ts'
import type { KeypointDetector } from '../../model/keypoint-detector.ts'
import { openDetector } from '../../model/open-detector.ts'
import type { Hooks } from '../../util/child-process.ts'
import type { SearchPlan } from './plan.ts'

/**
 * How far a student is from its teacher: on the test clips, or on the ends of the others, which it has not seen.
 *
 * @param run the student's folder
 * @throws InputError for what cannot be read, FormatError where a result is not finite. The signal's reason, if it is
 * aborted.
 */
export async function measureDistance(
  run: string,
  { clips, test, holdout, fit, device, teacher }: SearchPlan,
  { signal, onProgress }: Hooks,
): Promise<TeacherDistance & { readonly frames: number }> {
  const from = test.length > 0 ? 0 : 1 - holdout
  const opened: (KeypointDetector | Clip)[] = []
  try {
    const student = await openDetector(run, { device })
    opened.push(student)
    const taught = await openDetector(teacher, { device })
    opened.push(taught)
    const seen = await openClips(test.length > 0 ? test : clips)
    opened.push(...seen)
    const counts = seen.map(({ frameCount }) => frameCount - firstDrivingFrame(frameCount, from))
    const total = counts.reduce((sum, count) => sum + count, 0)
    const meter = new TeacherMeter()
    let frames = 0
    for (const clip of seen) {
      const fitter = await fitClip(clip, student.size, fit)
      for await (const frame of clip.frames({ fromFrame: firstDrivingFrame(clip.frameCount, from) })) {
        signal?.throwIfAborted()
        const pixels = fitter(frame)
        meter.add(await student.detect(pixels), await taught.detect(pixels))
        frames++
        onProgress?.(frames / total)
      }
    }
    return { ...meter.result()!, frames }
  } finally {
    await Promise.all(opened.map((one) => one.close()))
  }
}
