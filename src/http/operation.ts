import type { z } from 'zod'
import type { ErrorCode } from '../domain/error-table.ts'
import type { CallerContext, RequestContext, TenantContext } from './request-context.ts'

export interface Answer {
  readonly description: string
  /** JSON unless `mime` says otherwise. */
  readonly schema?: z.ZodType
  readonly mime?: string
}

interface OperationBase {
  readonly method: 'get' | 'post' | 'put' | 'delete'
  /** As OpenAPI writes it; a last part `{name+}` takes the rest of the path. */
  readonly path: string
  /** Stable: generated clients name their methods by it. */
  readonly id: string
  readonly tag: 'runs' | 'files' | 'self' | 'sign-up' | 'tenants' | 'keys' | 'fleet' | 'server'
  readonly summary: string
  readonly description?: string
  readonly query?: z.ZodObject
  readonly headers?: z.ZodObject
  readonly body?: { readonly schema?: z.ZodType; readonly mime?: string }
  /** False where a user only looks at state or ends a run, which goes on while it is not known whether they are still let in. */
  readonly sensitive?: false
  readonly answers: Readonly<Record<string, Answer>>
  /** What may go wrong besides what every operation has. */
  readonly errors?: readonly ErrorCode[]
}

/** One method on one path, with its documentation. `access` says who may call and what the handler gets. */
export type Operation = OperationBase &
  (
    | { readonly access: 'public' | 'hook'; readonly handle: (context: RequestContext) => Promise<void> }
    | { readonly access: 'caller' | 'operator'; readonly handle: (context: CallerContext) => Promise<void> }
    | { readonly access: 'tenant'; readonly handle: (context: TenantContext) => Promise<void> }
  )
