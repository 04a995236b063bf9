export interface Assumption {
  readonly id: string
  readonly text: string
  /** Where it is said. */
  readonly source: string
  /** Why this pass cannot show it; without it a step does. */
  readonly whyNot?: string
}

const TEMPLATES = 'templates/README.md'
const OPERATING = 'docs/operating.md'
const STAND_IN = 'docs/aws-local.md'

/** What was read in AWS's documentation and never seen. A test holds that every one has a step or a reason. */
export const assumptions: readonly Assumption[] = [
  { id: 'foundation', text: 'CloudFormation makes the foundation as the template says', source: TEMPLATES },
  { id: 'server_role', text: "the server's role can be assumed and is enough for a server's work", source: TEMPLATES },
  {
    id: 'berth_stack',
    text: "CloudFormation's handlers need no right that the role of stacks lacks",
    source: TEMPLATES,
  },
  { id: 'image_pull', text: 'Lambda pulls the image under the condition on aws:SourceArn', source: TEMPLATES },
  { id: 'role_trust', text: "Lambda assumes a berth's role whatever keys it sends", source: TEMPLATES },
  { id: 'run', text: 'the runner starts inside Lambda and runs Python and TypeScript', source: STAND_IN },
  { id: 'files', text: 'a run reads a file and leaves an artifact on S3, over TLS', source: TEMPLATES },
  { id: 'presigned', text: 'a presigned link gives a file and nothing without its signature', source: OPERATING },
  { id: 'own_prefix', text: "the role's real credentials read the own prefix", source: STAND_IN },
  { id: 'other_prefix', text: "the role's real credentials are refused another berth's prefix", source: STAND_IN },
  {
    id: 'role_limits',
    text: "IAM's own evaluation allows the role what the template says and no more",
    source: STAND_IN,
  },
  {
    id: 'suspended',
    text: 'a suspended function refuses every invoke, not only those of the server',
    source: OPERATING,
  },
  { id: 'resumed', text: 'a resumed tenant runs again', source: OPERATING },
  { id: 'image_update', text: 'a function takes another image and runs on it', source: OPERATING },
  { id: 'deprovisioned', text: 'a deleted tenant leaves nothing, and the receipt says so', source: OPERATING },
  { id: 'destroyed', text: 'the deployment goes with everything that it made', source: OPERATING },
  {
    id: 'vpc',
    text: 'the VPC: narrowed CreateNetworkInterface, lambda:VpcIds, the DNS firewall, the endpoint’s Deny, no egress',
    source: TEMPLATES,
    whyNot: 'functions in a VPC take up to half an hour to go',
  },
  {
    id: 'sessions_revoked',
    text: 'credentials carried off before a suspension open nothing after it',
    source: OPERATING,
    whyNot: 'code in a run cannot reach credentials to carry off',
  },
  {
    id: 'shared',
    text: 'tenant isolation mode gives every tenant environments of their own',
    source: TEMPLATES,
    whyNot: 'this pass is about backend lambda',
  },
  {
    id: 'rates',
    text: "AWS's rates for CloudFormation, IAM and CloudWatch Logs are at least the pacer's",
    source: STAND_IN,
    whyNot: 'takes hundreds of stacks',
  },
  {
    id: 'asleep',
    text: 'functions that idled for weeks wake up, and keep-alive keeps them from sleeping',
    source: OPERATING,
    whyNot: 'takes weeks',
  },
  {
    id: 'boundary_keys',
    text: 'iam:PermissionsBoundary is there on DeleteRole and DeleteRolePolicy',
    source: TEMPLATES,
    whyNot: 'takes a role whose boundary was taken away',
  },
  {
    id: 'parameter_tags',
    text: "an update of the wanted image's tags leaves its value",
    source: TEMPLATES,
    whyNot: 'takes a changed template',
  },
  {
    id: 'github',
    text: "GitHub's provider and role, GuardDuty and the alarms work",
    source: TEMPLATES,
    whyNot: 'an account has one of each, which is not ours to change',
  },
]
