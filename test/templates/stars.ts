/** Every statement that names no resource, by template, resource and Sid, with the reason why AWS (or the sense of a Deny) asks for it. */
export const stars: Readonly<Record<string, string>> = {
  'tenant Role LookAtVpc':
    'EC2 knows no resource for Describe calls; Lambda makes them when it attaches the function, only with a VPC.',
  'tenant Role NotFromInsideTheFunction': 'A Deny, so a star narrows.',
  'foundation BucketPolicy OnlyOverTls': 'A Deny for everybody, on this bucket.',
  'foundation BucketPolicy OnlyThroughTheEndpoint': 'A Deny for everybody, on this bucket.',
  'foundation Boundary LookAtVpc': 'EC2 knows no resource for Describe calls; only with a VPC.',
  'foundation Boundary NotFromInsideTheFunction': 'A Deny, so a star narrows.',
  'foundation StackRole NeverLoosenABoundary': 'A Deny, so a star narrows.',
  'foundation StackRole NoWildcardsInTags': 'A Deny, so a star narrows.',
  'foundation StackRole TheTagStays': 'A Deny, so a star narrows.',
  'foundation StackRole LookAtLogGroups':
    'CloudWatch Logs knows no resource for these Describe calls; they show names and settings, no entries.',
  'foundation StackRole LookAtNetwork': 'EC2 knows no resource for Describe calls; only with a VPC.',
  'foundation ServerRole CountAndCompare':
    'Lists and counts of the account, for reconcile and doctor; AWS knows no resource for any of them.',
  'foundation ServerRole NeverLoosenABoundary': 'A Deny, so a star narrows.',
  'foundation RolloutPolicy ListTheFleet': 'Lambda knows no resource for ListFunctions.',
  'foundation GitHubRole LogInToRegistry':
    'ECR knows no resource for GetAuthorizationToken; the token opens only what the role may.',
  'foundation S3Endpoint ObjectsOfBerths': 'The principal is narrowed to berths’ roles by the condition.',
  'foundation S3Endpoint ListBerths': 'The principal is narrowed to berths’ roles by the condition.',
}
