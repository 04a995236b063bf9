import type { Resource, Template } from './read-template.ts'

/** What a stack would hold: no intrinsic function is left, and what a condition excludes is gone. */
export interface Resolved {
  readonly resources: Readonly<Record<string, Resource>>
  readonly outputs: Readonly<Record<string, string>>
}

export const ACCOUNT = '111122223333'
export const REGION = 'eu-central-1'
const NOTHING = Symbol('AWS::NoValue')

const pseudo: Readonly<Record<string, unknown>> = {
  'AWS::AccountId': ACCOUNT,
  'AWS::Region': REGION,
  'AWS::Partition': 'aws',
  'AWS::URLSuffix': 'amazonaws.com',
  'AWS::NoValue': NOTHING,
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const regional = (service: string, rest: string): string => `arn:aws:${service}:${REGION}:${ACCOUNT}:${rest}`

/** Names and ARNs as AWS would give them; made-up names where the template leaves the name to CloudFormation. */
const identityOf = (stack: string, id: string, type: string, property: (name: string) => string | undefined) => {
  const name = (key: string): string => property(key) ?? `${stack}-${id.toLowerCase()}`
  const iam = (kind: string, key: string): string =>
    `arn:aws:iam::${ACCOUNT}:${kind}${property('Path') ?? '/'}${name(key)}`
  switch (type) {
    case 'AWS::S3::Bucket':
      return { Ref: name('BucketName'), Arn: `arn:aws:s3:::${name('BucketName')}` }
    case 'AWS::IAM::Role':
      return { Ref: name('RoleName'), Arn: iam('role', 'RoleName') }
    case 'AWS::IAM::ManagedPolicy':
      return { Ref: iam('policy', 'ManagedPolicyName') }
    case 'AWS::Lambda::Function':
      return { Ref: name('FunctionName'), Arn: regional('lambda', `function:${name('FunctionName')}`) }
    case 'AWS::ECR::Repository':
      return {
        Ref: name('RepositoryName'),
        Arn: regional('ecr', `repository/${name('RepositoryName')}`),
        RepositoryUri: `${ACCOUNT}.dkr.ecr.${REGION}.amazonaws.com/${name('RepositoryName')}`,
      }
    case 'AWS::Logs::LogGroup':
      return { Ref: name('LogGroupName'), Arn: regional('logs', `log-group:${name('LogGroupName')}:*`) }
    case 'AWS::SSM::Parameter':
      return { Ref: name('Name') }
    default:
      return { Ref: id.toLowerCase() }
  }
}

/** Resolves the functions that our templates use; throws at any other, so that none is passed over in silence. */
export const resolveTemplate = (
  template: Template,
  stack: string,
  parameters: Readonly<Record<string, string>>,
): Resolved => {
  const given = (name: string): string | number | undefined => parameters[name] ?? template.Parameters[name]?.Default
  const attribute = (id: string, key: string): unknown => {
    const resource = template.Resources[id]
    if (resource === undefined) throw new Error(`${id} is neither a parameter nor a resource of the template`)
    const property = (name: string): string | undefined => {
      const value = resolve(resource.Properties[name])
      return typeof value === 'string' ? value : undefined
    }
    const identity: Readonly<Record<string, string>> = identityOf(stack, id, resource.Type, property)
    return identity[key] ?? `${id.toLowerCase()}.${key}`
  }
  const reference = (name: string): unknown => {
    if (name === 'AWS::StackName') return stack
    if (name in pseudo) return pseudo[name]
    if (name in template.Parameters) {
      const value = given(name)
      if (value === undefined) throw new Error(`parameter ${name} has neither value nor default`)
      return String(value)
    }
    return attribute(name, 'Ref')
  }
  const substitute = (text: string, extra: Readonly<Record<string, unknown>>): string =>
    text.replaceAll(/\$\{(!?)([^}]+)\}/g, (_, literal: string, name: string) => {
      if (literal) return `\${${name}}`
      if (name in extra) return String(resolve(extra[name]))
      const [id = '', key] = name.split('.')
      return String(key === undefined ? reference(id) : attribute(id, key))
    })
  const holds = (name: string): boolean => resolve(template.Conditions[name]) === true

  const functions: Readonly<Record<string, (argument: unknown) => unknown>> = {
    Ref: (name) => reference(String(name)),
    Condition: (name) => holds(String(name)),
    'Fn::GetAtt': (path) => {
      const [id = '', key = ''] = String(path).split('.')
      return attribute(id, key)
    },
    'Fn::Sub': (argument) => {
      const [text, extra] = Array.isArray(argument) ? (argument as unknown[]) : [argument, {}]
      return substitute(String(text), isRecord(extra) ? extra : {})
    },
    'Fn::If': (argument) => {
      const [condition, yes, no] = argument as unknown[]
      return resolve(holds(String(condition)) ? yes : no)
    },
    'Fn::Equals': (argument) => {
      const [left, right] = (argument as unknown[]).map((side) => String(resolve(side)))
      return left === right
    },
    'Fn::Not': (argument) => resolve((argument as unknown[])[0]) !== true,
    'Fn::And': (argument) => (argument as unknown[]).every((part) => resolve(part) === true),
    'Fn::Select': (argument) => {
      const [index, list] = argument as unknown[]
      return (resolve(list) as unknown[])[Number(index)]
    },
    'Fn::Split': (argument) => {
      const [separator, text] = (argument as unknown[]).map((part) => String(resolve(part)))
      return text?.split(separator ?? ',')
    },
    'Fn::Cidr': () => ['10.64.0.0/24', '10.64.1.0/24'],
    'Fn::GetAZs': () => [`${REGION}a`, `${REGION}b`],
  }

  const resolve = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(resolve).filter((item) => item !== NOTHING)
    if (!isRecord(value)) return value
    const [key = '', ...others] = Object.keys(value)
    const apply = others.length === 0 && (key in functions || key.startsWith('Fn::')) && key !== 'Condition'
    const isCondition = others.length === 0 && key === 'Condition' && typeof value[key] === 'string'
    if (apply || isCondition) {
      const run = functions[key]
      if (run === undefined) throw new Error(`the resolver does not know ${key}`)
      return run(value[key])
    }
    const entries = Object.entries(value).map(([name, part]) => [name, resolve(part)] as const)
    return Object.fromEntries(entries.filter(([, part]) => part !== NOTHING))
  }

  const present = <T extends { readonly Condition?: string }>(all: Readonly<Record<string, T>>) =>
    Object.entries(all).filter(([, part]) => part.Condition === undefined || holds(part.Condition))
  return {
    resources: Object.fromEntries(
      present(template.Resources).map(([id, resource]) => [
        id,
        { ...resource, Properties: resolve(resource.Properties) as Resource['Properties'] },
      ]),
    ),
    outputs: Object.fromEntries(
      present(template.Outputs).map(([name, output]) => [name, String(resolve(output.Value))]),
    ),
  }
}
