import { z } from 'zod'

/** One thing that an image holds. */
export interface Installed {
  readonly name: string
  readonly version: string
  /** Package URL, by which scanners know it. */
  readonly purl: string
  readonly license?: string
}

const part = (text: string): string => encodeURIComponent(text)

/** Name, version, architecture and license with tabs between, a package a line. */
export const RPM_FORMAT = String.raw`%{NAME}\t%{VERSION}-%{RELEASE}\t%{ARCH}\t%{LICENSE}\n`

export const parseRpm = (text: string): readonly Installed[] =>
  text
    .split('\n')
    .map((line) => line.split('\t'))
    .filter(([name = '', version]) => name !== '' && name !== 'gpg-pubkey' && version !== undefined)
    .map(([name = '', version = '', arch = '', license = '']) => ({
      name,
      version,
      purl: `pkg:rpm/amzn/${part(name)}@${part(version)}?arch=${part(arch)}&distro=amzn-2023`,
      ...(license !== '' && { license }),
    }))

const pipSchema = z.array(z.object({ name: z.string(), version: z.string() }))

/** Python's own spelling of a package's name, of which each has many. */
const normal = (name: string): string => name.toLowerCase().replaceAll(/[-_.]+/g, '-')

/** What `pip list --format json` says. */
export const parsePip = (text: string): readonly Installed[] =>
  pipSchema
    .parse(JSON.parse(text))
    .map(({ name, version }) => ({ name, version, purl: `pkg:pypi/${part(normal(name))}@${part(version)}` }))

/** CycloneDX 1.6. The same image gives the same text: no time, no random id. */
export const toBom = (
  image: { readonly id: string; readonly version: number },
  installed: readonly Installed[],
): string => {
  const components = installed
    .toSorted((one, other) => (one.purl < other.purl ? -1 : 1))
    .map(({ license, ...component }) => ({
      type: 'library',
      'bom-ref': component.purl,
      ...component,
      ...(license !== undefined && { licenses: [{ license: { name: license } }] }),
    }))
  const subject = { type: 'container', 'bom-ref': image.id, name: 'berth-runner', version: String(image.version) }
  const hashes = [{ alg: 'SHA-256', content: image.id.replace('sha256:', '') }]
  const bom = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: { ...subject, hashes } },
    components,
  }
  return `${JSON.stringify(bom, null, 2)}\n`
}
