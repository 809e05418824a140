// What a placement's address may be, and what becomes of one where no etcd is, or something else.

import { once } from 'node:events'
import { createServer, type Server as HttpServer } from 'node:http'
import { type ClusterAddress, connect, open, type ServerOptions, serve } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { codeAndMessageOf as codeOf } from './support/refusals.ts'

const test = suite('cluster-etcd')

/** What is not etcd at all. */
async function impostor(answer: (server: HttpServer) => void): Promise<HttpServer> {
  const server = createServer()
  answer(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

test('what answers in the place of etcd is not believed', async () => {
  const answers: [string, (server: HttpServer) => void, RegExp][] = [
    [
      'no page',
      (its) => its.on('request', (_, r) => r.writeHead(404).end('no')),
      /^ERR_PROTOCOL .*404/,
    ],
    [
      'garbage',
      (its) => its.on('request', (_, r) => r.end('<html>')),
      /^ERR_PROTOCOL .*not etcd's/,
    ],
    ['an array', (its) => its.on('request', (_, r) => r.end('[1]')), /^ERR_PROTOCOL .*not etcd's/],
    ['nothing', (its) => its.on('request', (_, r) => r.end('{}')), /^ERR_PROTOCOL .*asked for/],
    [
      'no object in its place',
      (its) => its.on('request', (_, r) => r.end('{"responses":[null]}')),
      /^ERR_PROTOCOL .*another form/,
    ],
    [
      'no key in its place',
      (its) =>
        its.on('request', (_, r) => r.end('{"responses":[{"response_range":{"kvs":[null]}}]}')),
      /^ERR_PROTOCOL .*another form/,
    ],
    ['a cut', (its) => its.on('request', (r) => r.socket.destroy()), /^ERR_UNAVAILABLE/],
    ['silence', (its) => its.on('request', () => {}), /^ERR_UNAVAILABLE .*no answer in/],
    [
      'without end',
      (its) =>
        its.on('request', (_, r) => {
          const more = (): void => {
            while (!r.destroyed && r.write('x'.repeat(2 ** 20)));
          }
          r.on('drain', more)
          more()
        }),
      /^ERR_PROTOCOL .*does not end/,
    ],
    [
      'no leader',
      (its) => its.on('request', (_, r) => r.writeHead(503).end()),
      /^ERR_UNAVAILABLE .*503/,
    ],
    [
      'no rights',
      (its) => its.on('request', (_, r) => r.writeHead(401).end('{}')),
      /^ERR_DENIED .*401/,
    ],
  ]
  for (const [what, answer, expected] of answers) {
    const server = await impostor(answer)
    const { port } = server.address() as { port: number }
    const address = { etcd: `http://127.0.0.1:${port}`, cluster: 'x' }
    try {
      assert.match(await codeOf(connect(address, { timeoutMs: 500 })), expected, what)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  }
})

test('wrong addresses are named', async () => {
  const refused = async (address: unknown): Promise<string> => {
    return codeOf((async () => connect(address as ClusterAddress))())
  }
  const cluster = 'x'
  assert.match(
    await refused({ etcd: 'http://10.0.0.1:2379', cluster }),
    /etcd: expected https:\/\//,
  )
  assert.match(await refused({ etcd: 'ftp://127.0.0.1', cluster }), /etcd: expected URLs/)
  assert.match(await refused({ etcd: 'nonsense', cluster }), /etcd: expected URLs/)
  assert.match(await refused({ etcd: [], cluster }), /etcd: expected at least one/)
  assert.match(await refused({ etcd: 'http://a:b@localhost', cluster }), /without credentials/)
  assert.match(await refused({ etcd: 'http://localhost', cluster: 'a/b' }), /cluster: expected/)
  assert.match(await refused({ etcd: 'http://localhost' }), /cluster: expected a string/)
  assert.match(
    await refused({ etcd: 'http://localhost', cluster, more: 1 }),
    /servers: expected only/,
  )
  const tls = { etcd: 'https://127.0.0.1:1', cluster, etcdTls: { caFile: '/nowhere' } }
  assert.match(await refused(tls), /^ERR_INVALID_ARGUMENT etcdTls.caFile: .*nowhere/)
  const closed = { etcd: 'http://127.0.0.1:1', cluster }
  assert.match(await refused(closed), /^ERR_UNAVAILABLE etcd at http:\/\/127.0.0.1:1: /)
  await using store = await open(':memory:')
  const wrong = async (options: unknown): Promise<string> => {
    return codeOf((async () => serve(store, options as ServerOptions))())
  }
  assert.match(await wrong({ etcd: 'http://localhost' }), /etcd and cluster together/)
  assert.match(await wrong({ weight: 2 }), /etcd and cluster together/)
  assert.match(await wrong({ ...closed, weight: -1 }), /weight: expected/)
  assert.match(await wrong({ ...closed, leaseMs: 10 }), /leaseMs: expected/)
  for (const advertise of ['nowhere', ':7070', 'x:0', 'x:99999', '0.0.0.0:7070', '[::]:7070']) {
    assert.match(await wrong({ ...closed, advertise }), /advertise: expected HOST:PORT/, advertise)
  }
  assert.match(await wrong({ ...closed, listen: '0.0.0.0:7070' }), /advertise: expected HOST:PORT/)
  assert.match(await wrong(closed), /^ERR_UNAVAILABLE etcd at/)
})

test.run()
