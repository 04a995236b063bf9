import type { Page } from './wire.ts'

/** Every entry of a list, page after page as they are needed. */
export const entriesOf = async function* <T>(page: (cursor: string | null) => Promise<Page<T>>): AsyncGenerator<T> {
  let cursor: string | null = null
  do {
    const { data, nextCursor }: Page<T> = await page(cursor)
    yield* data
    cursor = nextCursor
  } while (cursor !== null)
}
