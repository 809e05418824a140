// What a refused change of the placement says: each of its conditions, from what etcd shows.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Condition, EtcdValue } from '../../lib/cluster/etcd.ts'
import { refusal } from '../../lib/cluster/refused.ts'
import { Registry } from '../../lib/cluster/registry.ts'
import { addon } from '../../lib/native.ts'

const test = suite('a refused change of the placement')

const registry = new Registry({ etcd: ['http://127.0.0.1:1'], cluster: 'c' })
const { placementKey, moverKey } = registry
const memberA = registry.memberKey('127.0.0.1:7001')
const memberB = registry.memberKey('127.0.0.1:7002')
const servers = ['127.0.0.1:7001', '127.0.0.1:7002']
const text = (epoch: number): string =>
  addon.writePlacement(epoch, servers, new Uint16Array(16_384))
const stored = { text: text(4), revision: '10' }
const conditions: Condition[] = [
  { key: moverKey, target: 'CREATE', revision: '11' },
  { key: memberA, target: 'MOD', revision: '12' },
  { key: memberB, target: 'MOD', revision: '13' },
]

/** The message, where etcd has all as it was but for `changed`. */
async function said(changed: Record<string, Partial<EtcdValue> | undefined>): Promise<string> {
  const its = (key: string, value: string, revision: string): EtcdValue | undefined => {
    const now = { key, value, revision, created: revision }
    return key in changed ? changed[key] && { ...now, ...changed[key] } : now
  }
  const there: Record<string, EtcdValue | undefined> = {
    [placementKey]: its(placementKey, stored.text, '10'),
    [moverKey]: its(moverKey, 'me', '11'),
    [memberA]: its(memberA, '{}', '12'),
    [memberB]: its(memberB, '{}', '13'),
  }
  registry.etcd.get = async (keys) => keys.map((key) => there[key])
  const error = (await refusal(registry, stored, conditions)) as Error & { code: string }
  assert.is(error.code, 'ERR_CONFLICT')
  return error.message
}

test('says which of its conditions did not hold', async () => {
  const none = undefined
  assert.match(await said({ [moverKey]: none }), /has lost its lock: its lease has ended$/)
  assert.match(await said({ [moverKey]: { created: '20', value: 'you' } }), /lock, which you has/)
  assert.match(await said({ [memberA]: none }), /'127.0.0.1:7001' is not alive/)
  assert.match(await said({ [memberB]: { revision: '21' } }), /'127.0.0.1:7002' was started anew$/)
  const newer = { value: text(5), revision: '22' }
  assert.match(await said({ [placementKey]: newer }), /changed: its epoch is 5 now$/)
  assert.match(await said({ [placementKey]: { value: 'x', revision: '22' } }), /is none any more$/)
  assert.match(await said({ [placementKey]: none }), /the placement is gone$/)
  // The lock was renewed under its creation: that is no change.
  assert.match(await said({ [moverKey]: { revision: '30' } }), /as it was by now$/)
  const both = await said({ [moverKey]: none, [memberA]: none })
  assert.match(both, /^cluster 'c': etcd refused the change: .*lock.*; server '127.0.0.1:7001'/)
})

test.run()
