import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { excessesOf, reachesFor, rightsOf } from './berth-requests.ts'
import { arbitraryBerthId, codeIn, foundationOf, type Settings, swap } from './cell.ts'
import { anything, documentOf } from './policies.ts'
import { type Caller, labels, letThrough } from './simulate.ts'
import type { BerthId } from '../../src/domain/ids.ts'

const pairs = fc.uniqueArray(arbitraryBerthId, { minLength: 2, maxLength: 2 })
const forTwoBerths = (numRuns: number, check: (id: BerthId, other: BerthId) => Promise<void>) =>
  fc.assert(
    fc.asyncProperty(pairs, async ([id, other]) => {
      if (id && other) await check(id, other)
    }),
    { numRuns },
  )

/** Each layer by itself, and both as they are deployed. */
const layers: readonly (readonly [string, (code: Caller) => Caller])[] = [
  ['role policy and boundary together', (code) => code],
  ['the role policy alone', (code) => ({ ...code, boundary: undefined })],
  ['the boundary alone, on a role that is allowed everything', (code) => ({ ...code, policies: [anything] })],
]

test.each(layers)('the code in a berth may do what it needs and nothing else: %s', async (_, layer) => {
  await forTwoBerths(6, async (id, other) => {
    const code = layer(codeIn(id))
    const rights = rightsOf(id)

    expect(await letThrough(code, rights)).toEqual(labels(rights))
    expect(await letThrough(code, [...reachesFor(id, other), ...excessesOf(id)])).toEqual([])
  })
})

test('a role without the tag, or with that of another berth, may do nothing', async () => {
  await forTwoBerths(4, async (id, other) => {
    const code = codeIn(id)
    const requests = [...rightsOf(id), ...rightsOf(other), ...reachesFor(id, other)]
    const foreign = { ...code, tags: { berth: other } }

    expect(await letThrough({ ...code, tags: {} }, requests)).toEqual([])
    expect(await letThrough(foreign, requests)).toEqual([])
    expect(await letThrough({ ...foreign, policies: [anything] }, rightsOf(id))).toEqual([])
  })
})

test('in a VPC, Lambda may attach the function but the code inside it may not touch the network', async () => {
  await forTwoBerths(3, async (id) => {
    const code = codeIn(id, { foundation: { Vpc: 'true' } })
    const network = excessesOf(id).filter((request) => request.action.startsWith('ec2:'))
    const inside = {
      ...code,
      context: { 'lambda:SourceFunctionArn': 'arn:aws:lambda:eu-central-1:111122223333:function:x' },
    }

    expect(await letThrough(code, network)).toEqual(labels(network))
    expect(await letThrough(inside, network)).toEqual([])
    expect(await letThrough({ ...inside, boundary: undefined }, network)).toEqual([])
    expect(await letThrough({ ...inside, policies: [anything] }, network)).toEqual([])
  })
})

test('the boundary asks for the tag in every statement that allows anything outside the network', () => {
  const statements = documentOf(foundationOf(), 'Boundary').Statement.filter((one) => one.Effect === 'Allow')

  expect(
    statements.map((one) => JSON.stringify(one)).filter((text) => !text.includes('${aws:PrincipalTag/berth}')),
  ).toEqual([])
})

// Controls: with one protection out, the matrix must see it.
const id = 'baaaaaaaaaaaaaaa' as BerthId
const other = 'bbbbbbbbbbbbbbbb' as BerthId
const seen = async (settings: Settings, layer: (code: Caller) => Caller) =>
  letThrough(layer(codeIn(id, settings)), [...reachesFor(id, other), ...excessesOf(id)])
const [, [, roleAlone], [, boundaryAlone]] = layers as [unknown, (typeof layers)[number], (typeof layers)[number]]

test('control: without the slash in the role policy, a prefix that starts the same is listed', async () => {
  const settings = { tamperTenant: swap("'berths/${BerthId}/*'", "'berths/${BerthId}*'") }

  expect(await seen(settings, roleAlone)).toEqual(['list a prefix that starts the same', 'list what the own id begins'])
  expect(await seen(settings, (code) => code)).toEqual([])
})

test('control: without the slash in the boundary, a prefix that starts the same is listed', async () => {
  const settings = {
    tamperFoundation: swap("'berths/${aws:PrincipalTag/berth}/*'", "'berths/${aws:PrincipalTag/berth}*'"),
  }

  expect(await seen(settings, boundaryAlone)).toEqual([
    'list a prefix that starts the same',
    'list what the own id begins',
  ])
})

test('control: without the slash after the area, what lies beside the files is read', async () => {
  const settings = { tamperTenant: swap('/files/*', '/files*') }

  expect(await seen(settings, roleAlone)).toEqual(['read beside the files'])
})

test('control: without the condition on the prefix, all berths are listed', async () => {
  const settings = { tamperTenant: swap("StringLike: { 's3:prefix'", "StringNotLike: { 's3:prefix'") }

  expect(await seen(settings, roleAlone)).toContain('list with no prefix')
})

test('control: without a boundary, a role that is allowed everything may do everything', async () => {
  const requests = [...reachesFor(id, other), ...excessesOf(id)]
  const code = { ...codeIn(id), policies: [anything], boundary: undefined }

  expect(await letThrough(code, requests)).toEqual(labels(requests))
})

test('control: without the Deny, code in a VPC makes network interfaces', async () => {
  const vpc = { foundation: { Vpc: 'true' } }
  const off = swap("'lambda:SourceFunctionArn': 'false'", "'lambda:SourceFunctionArn': 'true'")
  const inside = {
    ...codeIn(id, { ...vpc, tamperTenant: off, tamperFoundation: off }),
    context: { 'lambda:SourceFunctionArn': 'arn:aws:lambda:eu-central-1:111122223333:function:x' },
  }

  expect(await letThrough(inside, excessesOf(id))).toEqual(['look at the network', 'make a network interface'])
})
