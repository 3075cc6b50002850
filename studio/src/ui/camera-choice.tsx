// Chooses one of this machine's cameras.
import { cameras, chosenCamera, openedCamera } from '../core/camera.ts'

/** A list of the cameras, once the browser tells of them. */
export function CameraChoice() {
  if (cameras.value.length === 0) return null
  const isThere = cameras.value.some(({ id }) => id === chosenCamera.value)
  return (
    <label class="field">
      Camera
      <select
        value={isThere ? chosenCamera.value : openedCamera.value}
        onChange={(event) => {
          chosenCamera.value = event.currentTarget.value
        }}
      >
        {cameras.value.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
    </label>
  )
}
