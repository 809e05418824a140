// `hotrow serve --follow`: a server whose rows go from version to version with those of a trainer
// that has nothing to do with it.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { connect, type Store, type Table } from 'hotrow'
import * as assert from 'uvu/assert'
import { all, bucketSuite, keys, ones, options, step } from './support/bucket.ts'
import { eventually } from './support/pages.ts'
import { codeOf } from './support/refusals.ts'
import { kProgram, serveCommand } from './support/serve-command.ts'

const test = bucketSuite('serve --follow')

const versionOf = async (store: Store): Promise<number> => (await store.version()).version

/** All rows of one version at one moment, whichever it is. */
async function seen(table: Table): Promise<number> {
  const rows = await table.lookup(keys)
  assert.equal(rows, all(rows[0] as number))
  return rows[0] as number
}

test('a folder in which a trainer commits', async (context) => {
  const path = context.store.path
  await context.table.push(keys, ones)
  await context.store.commit()
  const flags = ['--follow', path, '--listen', '127.0.0.1:0']
  const { child, address, ended } = await serveCommand(path, ...flags)
  {
    await using remote = await connect(address)
    const table = await remote.table('t', options)
    assert.is(await seen(table), 1)
    assert.is(await codeOf(table.push(keys, ones)), 'ERR_READ_ONLY')
    assert.is(await codeOf(remote.commit()), 'ERR_READ_ONLY')
    for (let i = 2; i <= 5; i++) {
      await context.table.push(keys, ones)
      await context.store.commit()
      await eventually('each version', async () => (await seen(table)) === i)
      assert.is(await versionOf(remote), i)
    }
  }
  child.kill('SIGTERM')
  const [code, out] = await ended
  assert.is(code, 0)
  // Nothing is committed at the end.
  assert.not.match(out, /stopped|\}\s*\{/)
  assert.is(await versionOf(context.store), 5)
})

test('an object store to which versions are published', async (context) => {
  await step(context)
  const { endpoint, region, credentials } = context.server.options as {
    endpoint: string
    region: string
    credentials: { accessKeyId: string; secretAccessKey: string }
  }
  const environment = {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    // The SDK warns of the Node.js versions that it will not support some day.
    NODE_NO_WARNINGS: '1',
  }
  Object.assign(process.env, environment)
  try {
    const path = join(context.folder, 'served')
    const flags = ['--follow', context.url, '--listen', '127.0.0.1:0']
    const { child, address, ended } = await serveCommand(path, ...flags)
    {
      await using remote = await connect(address)
      const table = await remote.table('t', options)
      assert.is(await seen(table), 1)
      await step(context)
      await eventually('the next version', async () => (await seen(table)) === 2)
    }
    child.kill('SIGTERM')
    assert.is((await ended)[0], 0)
  } finally {
    for (const name of Object.keys(environment)) delete process.env[name]
  }
})

test('another folder, or what was never there, is refused', ({ folder }) => {
  const refused = (...flags: string[]) => {
    const args = [kProgram, 'serve', join(folder, 'none'), ...flags]
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    return `${status} ${stderr}`
  }
  assert.match(refused('--follow', join(folder, 'writer')), /^2 .*--follow: expected s3:/)
  assert.match(refused('--follow', join(folder, 'none')), /^1 .*none.* there is no store|^1 .*none/)
  const cluster = ['--etcd', 'http://127.0.0.1:1', '--cluster', 'c']
  assert.match(refused('--follow', join(folder, 'none'), ...cluster), /^2 .*leave out --etcd/)
  assert.match(refused('--follow', 's3:x'), /^2 .*s3:\/\/bucket\/prefix/)
})

test.run()
