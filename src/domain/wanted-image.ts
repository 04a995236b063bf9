import { z } from 'zod'
import { berthIdSchema } from './ids.ts'

export const imageSchema = z
  .string()
  .regex(/^[^@\s]+@sha256:[0-9a-f]{64}$/, 'expected <repository>@sha256:<64 hex digits>')

const runnerImageSchema = z.object({ image: imageSchema, version: z.int().min(1) })

/** A runner image and the version of the runner in it. */
export type RunnerImage = Readonly<z.infer<typeof runnerImageSchema>>

const pinSchema = z.object({
  berthId: berthIdSchema,
  image: imageSchema,
  reason: z.string().min(1).max(200),
  /** From then on a rollout takes the berth along. */
  until: z.iso.datetime(),
})

/** A berth that rollouts leave on its image for a while. The fence goes before it. */
export type Pin = Readonly<z.infer<typeof pinSchema>>

const failuresSchema = z.object({
  /** The image that they were to get. */
  image: imageSchema,
  berths: z.int().min(1),
  /** The commonest reasons, each with the first berths that it kept back. */
  reasons: z.array(z.object({ reason: z.string().min(1).max(160), berthIds: z.array(berthIdSchema).max(20) })).max(10),
})

/** What the last rollout to an image could not update. Of many, not all are named. */
export type UpdateFailures = Readonly<z.infer<typeof failuresSchema>>

/** What a cell's berths should run. All that a rollout must remember; what they do run is read from the fleet. */
export const wantedImageSchema = z
  .object({
    /** New berths get it. */
    ...runnerImageSchema.shape,
    /** The oldest runner version that may still execute a run. */
    fence: z.int().min(0),
    /** On its way: berths of the first waves have it, new ones do not yet. */
    candidate: runnerImageSchema.optional(),
    /** What a rollback goes back to. */
    previous: runnerImageSchema.optional(),
    /** Why no rollout goes on: somebody paused it, or it halted. */
    held: z.string().min(1).max(500).optional(),
    /** Somebody did, so the next image is held too, until somebody resumes. */
    paused: z.literal(true).optional(),
    pins: z.array(pinSchema).optional(),
    /** Until a rollout has brought them there too. */
    failed: failuresSchema.optional(),
    /** Who changed it last, as AWS calls them. */
    by: z.string().min(1).max(300).optional(),
  })
  .refine(({ version, fence }) => fence <= version, 'expected a fence not above the version: nothing could run')

export type Wanted = Readonly<z.infer<typeof wantedImageSchema>>
