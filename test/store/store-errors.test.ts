import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { BerthError, isBerthError } from '../../src/domain/errors.ts'
import { isConnectionLost, isTransientConflict, toStoreError } from '../../src/store/store-errors.ts'

const withCode = (code: string, message = 'text') => Object.assign(new Error(message), { code })
const sqliteError = (errcode: number) => Object.assign(withCode('ERR_SQLITE_ERROR'), { errcode })

describe('errors of the databases', () => {
  test.for([
    ['connection refused', withCode('ECONNREFUSED')],
    ['several addresses refused', new AggregateError([withCode('ECONNREFUSED'), withCode('ECONNREFUSED')])],
    ['admin shutdown', withCode('57P01')],
    ['too many connections', withCode('53300')],
    ['disk full', withCode('53100')],
    ['statement timeout', withCode('57014')],
    ['wrong password', withCode('28P01')],
    ['a standby', withCode('25006')],
    ['a deadlock that stayed', withCode('40P01')],
    ['a query without answer', new Error('Query read timeout')],
    ['an ended connection', new Error('Connection terminated unexpectedly')],
    ['SQLite busy', sqliteError(5)],
    ['SQLite disk full', sqliteError(13)],
    ['SQLite input or output, extended code', sqliteError(10 | (4 << 8))],
  ] as const)('%s means store_unavailable with its cause', ([, error]) => {
    expect(toStoreError(error)).toMatchObject({ code: 'store_unavailable', cause: error, retryAfterSeconds: 2 })
  })

  test.for([
    ['a unique key', withCode('23505')],
    ['a syntax error', withCode('42601')],
    ['a SQLite constraint', sqliteError(19 | (8 << 8))],
    ['a bug', new TypeError('x is not a function')],
    ['a BerthError', new BerthError('conflict', 'no')],
    ['no error at all', 'text'],
  ] as const)('%s stays what it is', ([, error]) => {
    expect(toStoreError(error)).toBe(error)
  })

  test('a real error of node:sqlite carries the code that is looked at', () => {
    const sqlite = new DatabaseSync(':memory:')
    sqlite.exec('create table t (x); pragma max_page_count = 2')
    const full = (() => {
      try {
        for (;;) sqlite.exec(`insert into t values (zeroblob(100000))`)
      } catch (error) {
        return error
      }
    })()

    expect(isBerthError(toStoreError(full))).toBe(true)
    sqlite.close()
    const closed = (() => {
      try {
        return sqlite.exec('select 1')
      } catch (error) {
        return error
      }
    })()
    expect(toStoreError(closed)).toMatchObject({ code: 'store_unavailable' })
  })

  test('a deadlock may be tried again on the same connection, a lost connection may not be used again', () => {
    expect(isTransientConflict(withCode('40P01'))).toBe(true)
    expect(isConnectionLost(withCode('40P01'))).toBe(false)
    expect(isTransientConflict(withCode('57P01'))).toBe(false)
    expect(isConnectionLost(withCode('57P01'))).toBe(true)
  })
})
