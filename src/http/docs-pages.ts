import { createHash } from 'node:crypto'
import { errorTable } from '../domain/error-table.ts'
import { docsStyle } from './docs-style.ts'
import type { OpenApiDocument } from './openapi.ts'

export interface DocsPage {
  readonly path: string
  readonly html: string
  readonly policy: string
}

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

/** Text with `code` in back quotes; a path of these pages is a link. */
const prose = (text: string): string =>
  escape(text)
    .replaceAll(/`([^`]+)`/g, '<code>$1</code>')
    .replaceAll(/(^|\s)(\/docs\/\w+)/g, '$1<a href="$2">$2</a>')

const styleHash = createHash('sha256').update(docsStyle).digest('base64')
const policy = `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

const page = (title: string, body: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escape(title)}</title>
<style>${docsStyle}</style>
</head>
<body>
<header><a class="name" href="/docs">Berth</a><nav><a href="/docs">API</a><a href="/docs/errors">Errors</a><a href="/openapi.json">openapi.json</a></nav></header>
<main>
${body}
</main>
</body>
</html>
`

interface Described {
  readonly operationId?: string | undefined
  readonly summary?: string | undefined
  readonly description?: string | undefined
  readonly tags?: readonly string[] | undefined
  readonly parameters?: readonly unknown[] | undefined
  readonly requestBody?: unknown
  readonly responses?: Readonly<Record<string, unknown>> | undefined
}

interface Entry {
  readonly method: string
  readonly path: string
  readonly operation: Described
}

const entriesOf = (document: OpenApiDocument): readonly Entry[] =>
  Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    Object.entries(item as Record<string, Described>).map(([method, operation]) => ({ method, path, operation })),
  )

const at = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined

const textAt = (value: unknown, key: string): string => {
  const found = at(value, key)
  return typeof found === 'string' ? found : ''
}

/** A schema in one word: its component's name, or its type. */
const wordFor = (schema: unknown): string => {
  const reference = textAt(schema, '$ref')
  if (reference !== '') {
    const name = reference.slice(reference.lastIndexOf('/') + 1)
    return `<a href="#${escape(name)}">${escape(name)}</a>`
  }
  const options = at(schema, 'enum')
  if (Array.isArray(options)) return options.map((option) => `<code>${escape(String(option))}</code>`).join(' · ')
  const union = at(schema, 'anyOf') ?? at(schema, 'oneOf')
  if (Array.isArray(union)) return union.map(wordFor).join(' or ')
  if (at(schema, 'type') === 'array') return `list of ${wordFor(at(schema, 'items'))}`
  return escape(textAt(schema, 'type') || 'any')
}

const contentOf = (holder: unknown): string =>
  Object.entries((at(holder, 'content') ?? {}) as Record<string, unknown>)
    .map(([mime, media]) => `${wordFor(at(media, 'schema'))} <small>${escape(mime)}</small>`)
    .join(', ')

const parameterRow = (parameter: unknown): string =>
  `<tr><td><code>${escape(textAt(parameter, 'name'))}</code></td><td>${escape(textAt(parameter, 'in'))}</td><td>${wordFor(at(parameter, 'schema'))}</td><td>${prose(textAt(parameter, 'description') || textAt(at(parameter, 'schema'), 'description'))}</td></tr>`

const answerRow = ([status, answer]: [string, unknown]): string =>
  `<tr><td><code>${escape(status)}</code></td><td>${bodyOf(status, answer)}</td><td>${describeAnswer(status, textAt(answer, 'description'))}</td></tr>`

/** All errors have the same body; saying its type once, at the top of the page, is enough. */
const bodyOf = (status: string, answer: unknown): string =>
  status < '400' ? contentOf(answer) || '–' : '<a href="#Problem">Problem</a>'

const describeAnswer = (status: string, description: string): string =>
  status < '400'
    ? prose(description)
    : description
        .split(', ')
        .map((code) => `<a href="/docs/errors#${escape(code)}">${escape(code)}</a>`)
        .join(', ')

const renderOperation = ({ method, path, operation }: Entry): string => {
  const { operationId = '', summary = '', description = '', parameters = [], requestBody, responses = {} } = operation
  const rows = parameters.map(parameterRow).join('')
  return `<article id="${escape(operationId)}">
<h3><span class="method ${method}">${method.toUpperCase()}</span> <code>${escape(path)}</code></h3>
<p>${prose(summary)}.</p>
${description === '' ? '' : `<p class="more">${prose(description)}</p>`}
${rows === '' ? '' : `<table><thead><tr><th>parameter</th><th>in</th><th>type</th><th></th></tr></thead><tbody>${rows}</tbody></table>`}
${requestBody === undefined ? '' : `<p>Body: ${contentOf(requestBody)}</p>`}
<table><thead><tr><th>status</th><th>body</th><th></th></tr></thead><tbody>${Object.entries(responses).map(answerRow).join('')}</tbody></table>
</article>`
}

const renderSchema = ([name, schema]: [string, unknown]): string => {
  const required = at(schema, 'required')
  const isRequired = (field: string): boolean => Array.isArray(required) && required.includes(field)
  const rows = Object.entries((at(schema, 'properties') ?? {}) as Record<string, unknown>)
    .map(
      ([field, inner]) =>
        `<tr><td><code>${escape(field)}</code>${isRequired(field) ? '' : ' <small>optional</small>'}</td><td>${wordFor(inner)}</td><td>${prose(textAt(inner, 'description'))}</td></tr>`,
    )
    .join('')
  return `<article id="${escape(name)}"><h3>${escape(name)}</h3><p>${prose(textAt(schema, 'description'))}</p><table><tbody>${rows}</tbody></table></article>`
}

/** Every operation in one list, since the page is long. */
const indexOf = (entries: readonly Entry[]): string =>
  `<nav class="index" aria-label="Operations">${entries
    .map(
      ({ method, path, operation: { operationId = '' } }) =>
        `<a href="#${escape(operationId)}"><span class="method ${method}">${method.toUpperCase()}</span> ${escape(path)}</a>`,
    )
    .join('')}</nav>`

const apiBody = (document: OpenApiDocument): string => {
  const byTag = Map.groupBy(entriesOf(document), ({ operation }) => operation.tags?.[0] ?? '')
  const sections = (document.tags ?? []).map(
    ({ name, description = '' }) =>
      `<section><h2 id="tag-${escape(name)}">${escape(name)}</h2><p>${prose(description)}</p>${(byTag.get(name) ?? []).map(renderOperation).join('\n')}</section>`,
  )
  const schemas = Object.entries(document.components?.schemas ?? {}).map(renderSchema)
  const { title, version, description = '' } = document.info
  return `<h1>${escape(title)} <small>${escape(version)}</small></h1><p>${prose(description)}</p>
${indexOf(entriesOf(document))}
${sections.join('\n')}
<section><h2 id="schemas">Objects</h2>${schemas.join('\n')}</section>`
}

const errorsBody = (): string => {
  const rows = Object.entries(errorTable).map(
    ([code, { status, title, category, retryable, remedy }]) =>
      `<tr id="${code}"><td><code>${code}</code></td><td>${status === 200 ? 'in a run' : status}</td><td>${category}</td><td>${retryable ? 'retryable' : 'not retryable'}</td><td>${prose(title)}. ${prose(remedy)}</td></tr>`,
  )
  return `<h1>Errors</h1><p>The codes are the contract; texts may change. How a tenant's code ended is not an HTTP error but <code>failure</code> inside the run.</p>
<table><thead><tr><th>code</th><th>status</th><th>category</th><th></th><th>what to do</th></tr></thead><tbody>${rows.join('')}</tbody></table>`
}

/** The documentation as pages without scripts, made once. */
export const docsPages = (document: OpenApiDocument): readonly DocsPage[] => [
  { path: '/docs', html: page('Berth API', apiBody(document)), policy },
  { path: '/docs/errors', html: page('Berth errors', errorsBody()), policy },
]
