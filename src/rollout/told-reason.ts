const MOST = 160

/**
 * A reason as it stands where many look at it and where there is little room: one line, cut, and without any run of characters that could be
 * a credential. The whole of it is in the log of the rollout. Never empty.
 */
export const toldReason = (reason: string): string => {
  const line = reason
    .replaceAll(/[\p{C}\p{Z}]+/gu, ' ')
    .replaceAll(/[A-Za-z0-9+/=_%~-]{32,}/g, '…')
    .replaceAll(/\b[A-Z]{4}[A-Z0-9]{16}\b/g, '…')
    .trim()
  return (line.length > MOST ? `${line.slice(0, MOST - 1).trimEnd()}…` : line) || 'no reason was given'
}
