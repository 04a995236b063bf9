import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import { LRUCache } from 'lru-cache'

const MAX_STATEMENTS = 256

const createConnection = (sqlite: DatabaseSync): DatabaseConnection => {
  const statements = new LRUCache<string, StatementSync>({ max: MAX_STATEMENTS })
  const prepare = (text: string): StatementSync => {
    const known = statements.get(text)
    if (known !== undefined) return known
    const statement = sqlite.prepare(text)
    statements.set(text, statement)
    return statement
  }
  return {
    executeQuery: async <R>(query: CompiledQuery): Promise<QueryResult<R>> => {
      const statement = prepare(query.sql)
      const values = query.parameters as SQLInputValue[]
      if (statement.columns().length > 0) return { rows: statement.all(...values) as R[] }
      return { rows: [], numAffectedRows: BigInt(statement.run(...values).changes) }
    },
    streamQuery: () => {
      throw new Error('The SQLite store does not stream')
    },
  }
}

/** One connection that one user holds at a time, in the order they came. */
const createTurns = () => {
  let last = Promise.resolve()
  let release: (() => void) | null = null
  return {
    take: async (): Promise<void> => {
      const before = last
      const turn = Promise.withResolvers<void>()
      last = turn.promise
      await before
      release = turn.resolve
    },
    give: (): void => release?.(),
  }
}

const createDriver = (open: () => DatabaseSync): Driver => {
  const sqlite = open()
  const connection = createConnection(sqlite)
  const turns = createTurns()
  return {
    init: async () => undefined,
    acquireConnection: async () => {
      await turns.take()
      return connection
    },
    // IMMEDIATE takes the write lock at once: a transaction that reads first can then never fail half way.
    beginTransaction: async () => sqlite.exec('begin immediate'),
    commitTransaction: async () => sqlite.exec('commit'),
    rollbackTransaction: async () => {
      if (sqlite.isTransaction) sqlite.exec('rollback')
    },
    releaseConnection: async () => turns.give(),
    destroy: async () => sqlite.close(),
  }
}

/** kysely on node:sqlite: synchronous underneath, so transactions must be short. */
export const createSqliteDialect = (open: () => DatabaseSync): Dialect => ({
  createAdapter: () => new SqliteAdapter(),
  createDriver: () => createDriver(open),
  createIntrospector: (db) => new SqliteIntrospector(db),
  createQueryCompiler: () => new SqliteQueryCompiler(),
})
