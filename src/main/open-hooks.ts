import type { Clock } from '../domain/ports/clock.ts'
import type { HttpDeps } from '../http/http-deps.ts'
import { createGoogleDoor } from '../identity/google-door.ts'
import { createEitherDoor, createSignatureDoor, type HookDoor } from '../identity/hook-door.ts'
import { createHookSource } from '../identity/hook-source.ts'
import type { Config } from './config.ts'

/** What may call the sign-up hook, and when it makes a berth. That no door is open by accident was checked with the configuration. */
export const openHooks = (
  config: Config,
  clock: Clock,
): Pick<HttpDeps, 'hookDoor' | 'hookSources' | 'isServed' | 'provisionOn'> => ({
  provisionOn: config.provisionOn,
  isServed: ({ project, identityTenant }) =>
    project !== config.firebase?.project || identityTenant === '' || config.firebase.tenants.includes(identityTenant),
  hookDoor: openDoor(config, clock),
  hookSources: new Map(config.hookSources.map((setting) => [setting.name, createHookSource(setting)])),
})

const openDoor = ({ hookSecrets, hookGoogle }: Config, clock: Clock): HookDoor | null => {
  const signed = hookSecrets.length === 0 ? null : createSignatureDoor(hookSecrets)
  const google = hookGoogle === null ? null : createGoogleDoor({ google: hookGoogle, clock })
  if (signed === null || google === null) return signed ?? google
  return createEitherDoor(signed, google)
}
