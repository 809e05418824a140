/** Why etcd refused a change of the placement: which of its conditions did not hold. */
import { callError } from '../errors.ts'
import { addon } from '../native.ts'
import type { Condition, EtcdValue } from './etcd.ts'
import type { Registry, StoredPlacement } from './registry.ts'

const timeoutMs = 5000

function ofPlacement(value: EtcdValue | undefined): string {
  if (value === undefined) return 'the placement is gone'
  try {
    return `the placement was changed: its epoch is ${addon.readPlacement(value.value).epoch} now`
  } catch {
    return 'the placement was changed, and is none any more'
  }
}

function ofLock(value: EtcdValue | undefined): string {
  if (value === undefined) return 'this mover has lost its lock: its lease has ended'
  return `this mover has lost its lock, which ${value.value} has now`
}

function ofMember(server: string, value: EtcdValue | undefined): string {
  if (value === undefined) return `server '${server}' is not alive: its lease has ended`
  return `server '${server}' was started anew`
}

function holds({ target, revision }: Condition, value: EtcdValue | undefined): boolean {
  return (target === 'MOD' ? value?.revision : value?.created) === revision
}

/**
 * ERR_CONFLICT that names what of a refused change did not hold. Asked afterwards: what is as it
 * was again by then is not named.
 */
export async function refusal(
  registry: Registry,
  stored: StoredPlacement,
  conditions: readonly Condition[],
): Promise<Error> {
  const { cluster, etcd, placementKey, moverKey } = registry
  const map: Condition = { key: placementKey, target: 'MOD', revision: stored.revision }
  const all = [map, ...conditions]
  const keys = all.map(({ key }) => key)
  const values = await etcd.get(keys, timeoutMs).catch(() => undefined)
  if (values === undefined) {
    return callError('ERR_CONFLICT', `cluster '${cluster}': etcd refused the change`)
  }
  const said = all.flatMap((its, i) => {
    const value = values[i]
    if (holds(its, value)) return []
    if (its.key === placementKey) return [ofPlacement(value)]
    if (its.key === moverKey) return [ofLock(value)]
    return [ofMember(its.key.slice(registry.memberKey('').length), value)]
  })
  const why = said.length === 0 ? 'something that is as it was by now' : said.join('; ')
  return callError('ERR_CONFLICT', `cluster '${cluster}': etcd refused the change: ${why}`)
}
