/** One berth of many may be broken for reasons of its own: suspended, out of memory, deleted in this moment. */
export const forgiven = (ofHowMany: number): number => (ofHowMany >= 4 ? 1 : 0)

/**
 * Code that runs in a berth can make it look broken. In Berth's own canaries no tenant's code ever ran: once they are well on an image, berths
 * of a minority of tenants that are not stop nobody else's rollout.
 */
export const minority = (ofHowMany: number): number => Math.max(0, Math.floor((ofHowMany - 1) / 2))
