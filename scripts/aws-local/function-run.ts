/** What the overlay says of a function that may run now. */
export interface FunctionRun {
  readonly requestId: string
  readonly functionArn: string
  readonly functionName: string
  /** `$LATEST` or the number of a published version. */
  readonly version: string
  readonly revisionId: string
  readonly imageUri: string
  /** With the digest in place of a tag. */
  readonly resolvedImageUri: string
  /** `ImageConfig.Command`; null for the image's own. */
  readonly command: readonly string[] | null
  readonly environment: Readonly<Record<string, string>>
  readonly timeoutSeconds: number
  readonly memoryMiB: number
  readonly logGroup: string | null
  readonly isTenantIsolated: boolean
  readonly reservedConcurrency: number | null
  readonly region: string
  /** Of the function's role, as Lambda hands them to the environment. */
  readonly credentials: {
    readonly accessKeyId: string
    readonly secretAccessKey: string
    readonly sessionToken: string
    /** Milliseconds since 1970. */
    readonly expiresAt: number
  }
}
