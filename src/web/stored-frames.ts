/** Decoded frames beside a stored run, so that training can go on after a reload. They are not of the run folder. */
export const framesFile = 'frames/frames.bin'
export const framesIndex = 'frames/clips.json'
