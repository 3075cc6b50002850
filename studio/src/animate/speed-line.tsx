// The line that tells frames per second and the time of each stage.
import { milliseconds } from '../core/format.ts'
import { type Speed, speed } from './state.ts'

const stages = ['prepare', 'detect', 'generate', 'show'] as const satisfies readonly (keyof Speed)[]

/** Frames per second, and the time of each stage. The line is there before its numbers, so that nothing moves. */
export function SpeedLine() {
  const { value } = speed
  return (
    <dl class="speed" data-fps={value?.framesPerSecond.toFixed(1)}>
      <div class="main">
        <dt>frames/s</dt>
        <dd>{value === undefined ? '-' : value.framesPerSecond.toFixed(1)}</dd>
      </div>
      {stages.map((stage) => (
        <div key={stage}>
          <dt>{stage}</dt>
          <dd>{value === undefined ? '-' : milliseconds(value[stage])}</dd>
        </div>
      ))}
    </dl>
  )
}
