import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type CollectionTag, parse, type ScalarTag } from 'yaml'

export type TemplateName = 'tenant' | 'foundation'

export interface Resource {
  readonly Type: string
  readonly Condition?: string
  readonly Properties: Readonly<Record<string, unknown>>
}

export interface Parameter {
  readonly Type: string
  readonly Default?: string | number
  readonly AllowedPattern?: string
  readonly AllowedValues?: readonly unknown[]
  readonly MinValue?: number
  readonly ConstraintDescription?: string
}

export interface Template {
  readonly Parameters: Readonly<Record<string, Parameter>>
  readonly Conditions: Readonly<Record<string, unknown>>
  readonly Resources: Readonly<Record<string, Resource>>
  readonly Outputs: Readonly<Record<string, { readonly Condition?: string; readonly Value: unknown }>>
}

const functions = ['Sub', 'If', 'Equals', 'Not', 'And', 'Or', 'Select', 'Split', 'Join', 'Cidr', 'GetAZs', 'GetAtt']
const plain = ['Ref', 'Condition']

const scalarTag = (tag: string, key: string): ScalarTag => ({ tag: `!${tag}`, resolve: (text) => ({ [key]: text }) })
const sequenceTag = (tag: string, key: string): CollectionTag => ({
  tag: `!${tag}`,
  collection: 'seq',
  resolve: (items) => ({ [key]: items.toJSON() as unknown }),
})
const customTags = [
  ...plain.map((name) => scalarTag(name, name)),
  ...functions.flatMap((name) => [scalarTag(name, `Fn::${name}`), sequenceTag(name, `Fn::${name}`)]),
]

export const templatePath = (name: TemplateName): string =>
  fileURLToPath(new URL(`../../templates/${name}.yaml`, import.meta.url))

export const templateText = (name: TemplateName): string => readFileSync(templatePath(name), 'utf8')

/** The template with its short forms (`!Ref x`) written out (`{ Ref: 'x' }`). */
export const parseTemplate = (text: string): Template => parse(text, { customTags }) as Template
