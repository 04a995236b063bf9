import type { Request } from 'express'
import type { z } from 'zod'
import { BerthError } from '../domain/errors.ts'
import { parseInput } from './parse-input.ts'

/** The query as one flat object, checked. A parameter that is given twice is a mistake, not a list. */
export const parseQuery = <T extends z.ZodType>(schema: T, request: Request): z.output<T> => {
  const start = request.url.indexOf('?')
  const entries = [...new URLSearchParams(start === -1 ? '' : request.url.slice(start + 1))]
  const values = Object.fromEntries(entries)
  if (Object.keys(values).length !== entries.length)
    throw new BerthError('invalid_request', 'The query has a parameter more than once.')
  return parseInput(schema, values, { where: 'query' })
}

/** One part of the path, which Express has percent-decoded exactly once. */
export const pathPart = (request: Request, name: string): string => {
  const part: unknown = request.params[name]
  return Array.isArray(part) ? part.join('/') : String(part)
}
