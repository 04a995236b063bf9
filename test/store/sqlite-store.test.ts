import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqliteStore } from '../../src/store/open-sqlite-store.ts'
import { clock } from '../contract/store-site.ts'
import { describeStore } from '../contract/store.contract.ts'

describeStore({
  name: 'SQLite',
  severalServers: false,
  create: async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'berth-store-'))
    return {
      open: () => openSqliteStore({ dataDir, clock }),
      [Symbol.asyncDispose]: async () => rmSync(dataDir, { recursive: true }),
    }
  },
})
