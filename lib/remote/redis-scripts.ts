/**
 * Changes to the keys that describe versions, each a script that Redis does in one piece. All keys
 * of a script are in one slot (`Names`). Each may be done twice: what it has done already counts as
 * done.
 */

import type { CallLimit, RedisLink } from './redis-client.ts'
import type { Names } from './redis-layout.ts'

const id = "local m = redis.call('GET', KEYS[1]) local d = m and cjson.decode(m)"

type ScriptName = 'begin' | 'complete' | 'route' | 'remove' | 'forget'

/** What a script may do. Its first key is the manifest. */
const scripts: Readonly<Record<ScriptName, string>> = {
  /** Begins a version; 'taken' when there is another of its number. ARGV: id, manifest, version. */
  begin: `${id}
    if d and d.id ~= ARGV[1] then return 'taken' end
    redis.call('SET', KEYS[1], ARGV[2])
    redis.call('SADD', KEYS[2], ARGV[3])
    return 'ok'`,
  /** Completes it; 'taken' when somebody has removed it. ARGV: id, manifest. */
  complete: `${id}
    if not d or d.id ~= ARGV[1] then return 'taken' end
    redis.call('SET', KEYS[1], ARGV[2])
    return 'ok'`,
  /**
   * Makes it current; 'missing' when it is not complete; else, when another than the expected one
   * is current, that one. ARGV: id, pointer, expected ('' for any, 'none').
   */
  route: `${id}
    if not d or d.id ~= ARGV[1] or d.state ~= 'complete' then return 'missing' end
    local current = redis.call('GET', KEYS[3]) or 'none'
    if current == ARGV[2] then return 'ok' end
    if ARGV[3] ~= '' and string.match(current, '^%w+') ~= ARGV[3] then return current end
    redis.call('SET', KEYS[3], ARGV[2])
    return 'ok'`,
  /** Marks it as going; 'current' when it is that. ARGV: id, manifest. */
  remove: `${id}
    if not d or d.id ~= ARGV[1] then return 'missing' end
    local current = redis.call('GET', KEYS[3])
    if current and string.match(current, ':(.*)$') == ARGV[1] then return 'current' end
    redis.call('SET', KEYS[1], ARGV[2])
    return 'ok'`,
  /** Forgets it. ARGV: id, version. */
  forget: `${id}
    if d and d.id == ARGV[1] then
      redis.call('DEL', KEYS[1])
      redis.call('SREM', KEYS[2], ARGV[2])
    end
    return 'ok'`,
}

/** Does a script on a version; its answer. */
export async function runScript(
  link: RedisLink,
  names: Names,
  change: { script: ScriptName; version: number; args: string[] },
  limit: CallLimit,
): Promise<string> {
  const { script, version, args } = change
  const keys = [names.manifest(version), names.versions, names.current]
  const command = { slot: names.slot, name: 'eval', args: [scripts[script], 3, ...keys, ...args] }
  const [reply] = await link.do(`version ${version}: ${script}`, [command], limit)
  return String(reply)
}
