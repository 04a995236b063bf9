import type { Cell } from '../../aws/cell.ts'
import { BerthError, isBerthError } from '../../domain/errors.ts'
import type { Dispatch } from '../../domain/ports/dispatch.ts'
import { createFunctionDispatch, type LambdaDispatchOptions } from '../lambda/lambda-dispatch.ts'
import { sharedFunction } from './shared-function.ts'

/** Idle environments of other tenants count too, and Lambda takes some minutes to end them. */
const RETRY_SECONDS = 5

/**
 * Lambda counts the shared function's runs, and the environments of its tenants (2,500 per 1,000 of concurrency, busy or idle), over all
 * tenants together: a refusal says nothing about this one.
 */
const isFull = (error: BerthError): boolean =>
  error.data['awsError'] === 'TooManyRequestsException' || error.data['status'] === 429

const full = (error: BerthError): BerthError =>
  new BerthError(
    'backend_unavailable',
    'The function that tenants share has no room for this run now; it was not started',
    { cause: error, data: error.data, retryAfterSeconds: RETRY_SECONDS },
  )

/** Runs code in the shared function, in environments that only this berth's runs ever see. */
export const createSharedDispatch = (cell: Cell, options: LambdaDispatchOptions): Dispatch => {
  const dispatch = createFunctionDispatch(cell, sharedFunction(cell), options)
  return {
    capabilities: dispatch.capabilities,

    async dispatch(work) {
      if (work.request.files.length > 0)
        throw new BerthError(
          'unsupported',
          'files: expected none, for tenants of a shared function have no files; leave `files` out, or have an operator move the tenant to a berth of its own (`berth tenants move`)',
        )
      try {
        return await dispatch.dispatch(work)
      } catch (error) {
        throw isBerthError(error) && isFull(error) ? full(error) : error
      }
    },

    describe: () => dispatch.describe(),
  }
}
