import { describe, expect, test } from 'vitest'
import { BerthError } from '../../src/domain/errors.ts'
import { createProblem } from '../../src/http/problem.ts'
import { createSourceLimiter, sourceOf } from '../../src/http/source-limiter.ts'
import { downloadHeaders } from '../../src/http/send.ts'

const open = (ratePerMinute: number, maxSources?: number) => {
  const time = { ms: 0 }
  const clock = { now: () => new Date(0), monotonicMs: () => time.ms, sleep: async () => undefined }
  return {
    time,
    limiter: createSourceLimiter({ clock, ratePerMinute, ...(maxSources !== undefined && { maxSources }) }),
  }
}

describe('the limiter of source addresses', () => {
  test('lets exactly a minute’s worth through, then says how long to wait', () => {
    const { limiter } = open(3)
    for (let n = 0; n < 3; n += 1) {
      expect(limiter.waitSeconds('a')).toBe(0)
      limiter.take('a')
    }

    expect(limiter.waitSeconds('a')).toBeCloseTo(20)
    expect(limiter.waitSeconds('b')).toBe(0)
  })

  test('fills up again with time', () => {
    const { limiter, time } = open(3)
    for (let n = 0; n < 3; n += 1) limiter.take('a')
    time.ms = 20_000

    expect(limiter.waitSeconds('a')).toBe(0)
    limiter.take('a')
    expect(limiter.waitSeconds('a')).toBeGreaterThan(0)
  })

  test('remembers a bounded number of sources, the latest ones', () => {
    const { limiter } = open(1, 2)
    for (const source of ['a', 'b', 'c']) limiter.take(source)

    expect(['a', 'b', 'c'].map((source) => limiter.waitSeconds(source) > 0)).toEqual([false, true, true])
  })

  test.each([
    ['10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2::9', '2001:db8:1:2'],
    ['2001:db8::9', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    // Some proxies tell the port as well, which is another for each connection.
    ['203.0.113.7:50123', '203.0.113.7'],
    ['[2001:db8:1:2::9]:50123', '2001:db8:1:2'],
    ['[2001:db8:1:2::9]', '2001:db8:1:2'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['whatever a caller writes', 'unknown'],
    ['203.0.113.7:x', 'unknown'],
    ['', 'unknown'],
    [undefined, 'unknown'],
  ])('takes %s for %s', (address, source) => {
    expect(sourceOf(address)).toBe(source)
  })
})

describe('the headers of a download', () => {
  test.each(['a"b.txt', 'a\r\nSet-Cookie: x', 'a;b', "a'b(c)*", 'ä🐍', '\ud800'])(
    'carry the name %j safely',
    (name) => {
      const header = downloadHeaders(name, 'text/plain')['Content-Disposition'] ?? ''

      expect(header).toMatch(/^attachment; filename="[\w .-]*"; filename\*=UTF-8''[\w%.!~-]*$/)
    },
  )

  test.each(['text/html', 'image/svg+xml', 'text/javascript', 'application/xhtml+xml', 'text/csv\r\nX: y'])(
    'never repeat the type %j',
    (mime) => {
      expect(downloadHeaders('a', mime)['Content-Type']).toBe('application/octet-stream')
    },
  )
})

describe('a problem', () => {
  const error = new BerthError('backend_unavailable', 'AWS refused GetObject in cell home', {
    data: { forOperators: true },
  })
  const at = { instance: '/v1/files', requestId: 'q1' }

  test('tells a tenant nothing of the platform, and an operator all', () => {
    expect(createProblem(error, at).detail).toBe('The backend cannot run code now.')
    expect(createProblem(error, { ...at, forOperator: true }).detail).toBe('AWS refused GetObject in cell home')
  })
})
