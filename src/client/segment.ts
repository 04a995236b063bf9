import { BerthError } from '../domain/errors.ts'

/** One part of a path. fetch would resolve "." and ".." away and ask for another path than was meant. */
export const segment = (value: string): string => {
  if (value === '' || value === '.' || value === '..' || !value.isWellFormed())
    throw new BerthError('invalid_request', `expected a name or an id, got ${JSON.stringify(value)}`)
  return encodeURIComponent(value)
}
