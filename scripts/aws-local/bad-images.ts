import type { ImageContent } from './images.ts'

const handler = (source: string): ImageContent => ({ kind: 'handler', source })

/** Answers at once with what it got: the cheapest function there is. */
export const ECHO_IMAGE = handler(`
def handler(event, context):
    return event
`)

/** Images that a rollout must stop at. */
export const BAD_IMAGES = {
  /** Its code cannot be loaded. */
  crashesAtStart: handler(`
raise RuntimeError("this image is broken")
`),
  /** Ends instead of answering, as when memory runs out. */
  isKilled: handler(`
import os, signal
def handler(event, context):
    os.kill(os.getpid(), signal.SIGKILL)
`),
  exits: handler(`
import os
def handler(event, context):
    os._exit(3)
`),
  raises: handler(`
def handler(event, context):
    raise ValueError("this image is broken")
`),
  /** Never answers, until the function's time-out. */
  hangs: handler(`
import time
def handler(event, context):
    time.sleep(3600)
`),
  /** Answers what no runner answers. */
  answersGarbage: handler(`
def handler(event, context):
    return ["garbage"]
`),
  /** Answers more than Lambda lets out. */
  answersTooMuch: handler(`
def handler(event, context):
    return "x" * 7_000_000
`),
} as const satisfies Record<string, ImageContent>
