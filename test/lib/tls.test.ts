// Servers and clients over TLS, as programs use them: credentials, roles, the command line, and
// OpenSSL beside that of Node. Who is refused, case by case: test/native/client/tls_test.cc.

import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, get } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { type ClientTls, connect, open, type ServerTls, serve, sum } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { floats, keys, same } from './support/arrays.ts'
import { Authority, type Issued } from './support/certificates.ts'
import { codeAndMessageOf as codeOf } from './support/refusals.ts'

const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const addon = fileURLToPath(new URL('../../build/Release/hotrow.node', import.meta.url))

interface Files {
  folder: string
  authority: Authority
  server: Issued
  client: Issued
  key: string
  token: string
}

const test = suite<Files>('tls')

const secret = (): string => randomBytes(24).toString('hex')

function write(folder: string, name: string, text: string): string {
  const file = join(folder, name)
  writeFileSync(file, text, { mode: 0o600 })
  return file
}

test.before((context) => {
  const folder = mkdtempSync(join(tmpdir(), 'hotrow-'))
  const authority = new Authority(folder)
  Object.assign(context, {
    folder,
    authority,
    server: authority.issue('server', 'DNS:localhost,IP:127.0.0.1'),
    client: authority.issue('client', 'URI:spiffe://x/trainer'),
    key: write(folder, 'key', `by-key:${secret()}`),
    token: write(folder, 'token', `by-token:${secret()}`),
  })
})
test.after(({ folder }) => rmSync(folder, { recursive: true, force: true }))

const every = ({ authority, server, key, token }: Files): ServerTls => ({
  ...server,
  caFile: authority.caFile,
  pskFile: key,
  tokenFile: token,
})

test('certificates, keys and tokens let clients in', async (files) => {
  const { authority, client, key, token } = files
  await using store = await open(':memory:')
  await using server = await serve(store, { listen: '0.0.0.0:0', tls: every(files) })
  const address = server.address.replace('0.0.0.0', '127.0.0.1')
  const ways: ClientTls[] = [
    { caFile: authority.caFile, ...client },
    { pskFile: key },
    { caFile: authority.caFile, tokenFile: token },
    { caFile: authority.caFile, tokenFile: token, serverName: 'localhost' },
  ]
  for (const [i, tls] of ways.entries()) {
    await using remote = await connect(address, { tls })
    const table = await remote.table('t', { dim: 2, optimizer: sum() })
    await table.push(keys(1), floats(1, 2))
    same(await table.lookup(keys(1)), [i + 1, 2 * i + 2])
  }
  assert.match(await codeOf(connect(address)), /^ERR_PROTOCOL the server says: .*speaks TLS only/)
  assert.is(server.stats().refused, 1)
  const stranger = write(files.folder, 'stranger', `by-key:${secret()}`)
  const refused = await codeOf(connect(address, { tls: { pskFile: stranger } }))
  assert.match(refused, /^ERR_DENIED .*refuses/)
  assert.not.match(refused, /[0-9a-f]{32}/)
})

test('what is wrong with options and files is named', async ({ folder, key, server, token }) => {
  await using store = await open(':memory:')
  const serving = (tls: unknown) => codeOf(serve(store, { tls: tls as ServerTls }))
  const connecting = (tls: unknown) => codeOf(connect('127.0.0.1:1', { tls: tls as ClientTls }))
  for (const refuse of [serving, connecting]) {
    assert.match(await refuse({}), /ERR_INVALID_ARGUMENT tls: expected some of/)
    assert.match(await refuse(7), /ERR_INVALID_ARGUMENT tls: expected an object/)
    assert.match(await refuse({ pskfile: key }), /ERR_INVALID_ARGUMENT tls: expected only/)
    assert.match(await refuse({ pskFile: 7 }), /ERR_INVALID_ARGUMENT tls\.pskFile: /)
    assert.match(await refuse({ pskFile: '' }), /ERR_INVALID_ARGUMENT tls\.pskFile: /)
    assert.match(await refuse({ certFile: 'x' }), /ERR_INVALID_ARGUMENT tls: .*go together/)
    const gone = join(folder, 'gone')
    assert.match(await refuse({ pskFile: gone }), /ERR_INVALID_ARGUMENT pskFile: '.*gone' cannot/)
  }
  const open644 = write(folder, 'open', readFileSync(key, 'utf8'))
  chmodSync(open644, 0o644)
  assert.match(await serving({ pskFile: open644 }), /ERR_INVALID_ARGUMENT .*chmod 600/)
  assert.match(await connecting({ pskFile: open644 }), /ERR_INVALID_ARGUMENT .*chmod 600/)
  assert.match(await serving({ ...server }), /caFile, pskFile or tokenFile/)
  const access = write(folder, 'bad-access', '{"identities": {"a": {"role": "boss"}}}')
  assert.match(
    await serving({ ...server, tokenFile: token, accessFile: access }),
    /ERR_INVALID_ARGUMENT accessFile: .*'a': role/,
  )
})

test('an access file says who may do what', async (files) => {
  const { folder, authority, client, key, token } = files
  const accessFile = write(
    folder,
    'access',
    JSON.stringify({
      identities: {
        'spiffe://x/trainer': { role: 'trainer', tables: ['ads*'] },
        'by-token': { role: 'reader' },
        'by-key': { role: 'admin' },
      },
    }),
  )
  await using store = await open(join(folder, 'store'))
  await using server = await serve(store, { tls: { ...every(files), accessFile } })
  const caFile = authority.caFile
  await using trainer = await connect(server.address, { tls: { caFile, ...client } })
  await using reader = await connect(server.address, { tls: { caFile, tokenFile: token } })
  await using admin = await connect(server.address, { tls: { pskFile: key } })
  const ads = await trainer.table('ads-1', { dim: 1, optimizer: sum() })
  await ads.push(keys(1), floats(2))
  await trainer.commit()
  assert.match(await codeOf(trainer.table('users', { dim: 1 })), /^ERR_DENIED .*'users'/)
  assert.match(await codeOf(trainer.rollback(1)), /^ERR_DENIED rollback is for the role admin/)
  const read = await reader.table('ads-1', { dim: 1, optimizer: sum() })
  same(await read.lookup(keys(1)), [2])
  assert.match(await codeOf(read.push(keys(1), floats(2))), /^ERR_DENIED PUSH is for .*trainer/)
  assert.match(await codeOf(reader.commit()), /^ERR_DENIED commit/)
  assert.is((await reader.versions()).length, 1)
  await ads.push(keys(1), floats(2))
  await admin.rollback(1)
  same(await read.lookup(keys(1)), [2])
})

test('the command serves beyond this machine, and its secrets stay in files', async (files) => {
  const { folder, authority, server } = files
  const path = join(folder, 'served')
  const [keyFile, tokens] = [join(folder, 'new-keys'), join(folder, 'new-tokens')]
  const run = (...args: string[]) =>
    execFileSync(process.execPath, [program, ...args], { encoding: 'utf8', stdio: 'pipe' })
  run('key', keyFile, 'trainer-1')
  run('key', tokens, 'urn:x:reader', '--token')
  const said = run('key', tokens, 'other', '--token')
  assert.is(statSync(tokens).mode & 0o777, 0o600)
  const [, mine, other] = /^urn:x:reader:(\S{43})\nother:(\S{43})\n$/.exec(
    readFileSync(tokens, 'utf8'),
  ) as RegExpExecArray
  assert.not.ok(said.includes(other as string))
  assert.throws(() => run('key', tokens, 'other'), /has a line of 'other' already/)
  const token = write(folder, 'my-token', `urn:x:reader:${mine}`)
  const flags = ['--listen', '0.0.0.0:0', '--psk-file', keyFile, '--token-file', tokens]
  flags.push('--tls-cert', server.certFile, '--tls-key', server.keyFile)
  const child = spawn(process.execPath, [program, 'serve', path, '--json', ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  process.on('exit', () => child.kill('SIGKILL'))
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text
  })
  while (!/"address": "[^"]+"/.test(out)) {
    await Promise.race([once(child.stdout, 'data'), once(child, 'close')])
    assert.is(child.exitCode, null)
  }
  const address = /"address": "0\.0\.0\.0(:\d+)"/.exec(out)?.[1]
  const caFile = authority.caFile
  const ways: ClientTls[] = [{ pskFile: keyFile }, { caFile, tokenFile: token }]
  for (const tls of ways) {
    await using remote = await connect(`localhost${address}`, { tls })
    await remote.table('t', { dim: 1 })
  }
  const argv = readFileSync(`/proc/${child.pid}/cmdline`, 'utf8')
  const secrets = [mine as string, readFileSync(keyFile, 'utf8').trim().split(':')[1] as string]
  for (const each of secrets) assert.not.ok(`${argv}${out}`.includes(each))
  child.kill('SIGTERM')
  assert.is((await once(child, 'close'))[0], 0)
})

test("Node's https and the addon's TLS work at once", async (files) => {
  const { authority, server: its, key } = files
  const ca = readFileSync(authority.caFile)
  const https = createServer(
    { cert: readFileSync(its.certFile), key: readFileSync(its.keyFile) },
    (_, response) => response.end('x'.repeat(200_000)),
  )
  https.listen(0, '127.0.0.1')
  await once(https, 'listening')
  const { port } = https.address() as AddressInfo
  const fetched = (): Promise<number> =>
    new Promise((done, fail) => {
      get({ host: '127.0.0.1', port, ca, agent: false }, (response) => {
        let size = 0
        response.on('data', (part: Buffer) => {
          size += part.length
        })
        response.on('end', () => done(size))
      }).on('error', fail)
    })
  await using store = await open(':memory:')
  await using server = await serve(store, { tls: every(files) })
  const all = BigUint64Array.from({ length: 20_000 }, (_, i) => BigInt(i))
  const ones = new Float32Array(all.length).fill(1)
  const pushed = async (i: number): Promise<Float32Array> => {
    await using remote = await connect(server.address, { tls: { pskFile: key } })
    const table = await remote.table(`t${i}`, { dim: 1, optimizer: sum() })
    await table.push(all, ones)
    return table.lookup(all)
  }
  for (let round = 0; round < 5; ++round) {
    const work = Array.from({ length: 4 }, (_, i) => [fetched(), pushed(round * 4 + i)] as const)
    for (const [size, rows] of work) {
      assert.is(await size, 200_000)
      assert.equal(await rows, ones)
    }
  }
  https.close()
  assert.ok(rootCertificates.length > 0)
})

test("the addon's OpenSSL is its own, and nobody else sees it", () => {
  const symbols = execFileSync('nm', ['-D', addon], { encoding: 'utf8', maxBuffer: 1 << 26 })
  assert.match(symbols, /napi_/)
  for (const line of symbols.split('\n')) {
    assert.not.match(line, /\b(SSL|TLS|CRYPTO|EVP|X509|OPENSSL|BIO|ERR)_\w+/)
  }
  const libraries = execFileSync('ldd', [addon], { encoding: 'utf8' })
  assert.not.match(libraries, /libssl/)
})

test.run()
