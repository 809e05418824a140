// Moves all slots to one server, and stands still at a step of its first group until it is told to
// go on by a line. Arguments: etcd's URL, the cluster, the server, and the step.
import { once } from 'node:events'
import { Mover } from '../../../dist/cluster/mover.js'
import { Registry } from '../../../dist/cluster/registry.js'

const [etcd, cluster, to, where] = process.argv.slice(2)
const fields = ['caFile', 'certFile', 'keyFile', 'pskFile', 'tokenFile', 'serverName']
const options = {
  native: {
    timeoutMs: 3000,
    spinUs: 0,
    tls: Object.fromEntries(fields.map((field) => [field, ''])),
    transport: 0,
    followers: [],
    trace: '',
  },
  leaseMs: 2000,
  waitMs: 20_000,
  step: async (step) => {
    if (step !== where) return
    console.log(`at ${step}`)
    await once(process.stdin, 'data')
  },
}
try {
  await Mover.run(new Registry({ etcd, cluster }), options, async (mover) => {
    const from = mover.servers.find((server) => server !== to)
    const slots = mover.owners.flatMap((owner, slot) => (owner === from ? [slot] : []))
    await mover.move([{ from, to, slots }])
  })
  console.log('ended well')
} catch (error) {
  console.log(`ended ${error.code} ${error.message}`)
}
process.exit()
