import { expect, test } from 'vitest'
import { parsePip, parseRpm, toBom } from '../../../scripts/image/bill-of-materials.ts'

const rpm =
  'glibc\t2.34-117.amzn2023\tx86_64\tLGPLv2+\ngpg-pubkey\td832c631-6515c85e\t(none)\tpubkey\nlibstdc++\t11.4.1-2\tx86_64\tGPLv3+\n'

test('the bill names what scanners look up, once for each package', () => {
  const installed = [...parseRpm(rpm), ...parsePip('[{"name":"Foo.Bar_baz","version":"1.0+local"}]')]
  const bom = JSON.parse(toBom({ id: `sha256:${'a'.repeat(64)}`, version: 7 }, installed))

  expect(bom).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.6', metadata: { component: { version: '7' } } })
  expect(bom.metadata.component.hashes).toEqual([{ alg: 'SHA-256', content: 'a'.repeat(64) }])
  expect(bom.components.map(({ purl }: { purl: string }) => purl)).toEqual([
    'pkg:pypi/foo-bar-baz@1.0%2Blocal',
    'pkg:rpm/amzn/glibc@2.34-117.amzn2023?arch=x86_64&distro=amzn-2023',
    'pkg:rpm/amzn/libstdc%2B%2B@11.4.1-2?arch=x86_64&distro=amzn-2023',
  ])
})

test('the same image has the same bill, in whatever order its packages are told', () => {
  const image = { id: 'sha256:b', version: 1 }
  const [first, second] = parseRpm(rpm)

  expect(
    toBom(
      image,
      [first, second].flatMap((one) => one ?? []),
    ),
  ).toBe(
    toBom(
      image,
      [second, first].flatMap((one) => one ?? []),
    ),
  )
})
