// A GPU in front of tables: its options, what is said where there is none, `hotrow doctor`, and the
// contract: results are those of a store without. The contract runs where a library is found: the
// one that HOTROW_GPU_LIBRARY names, or the emulated one beside the addon.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { adam, type GpuOptions, open, type Store, sum, type Table } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { filled, keyRange, same } from './support/arrays.ts'
import { assertRefusal, errorAtOnce, errorOf, type Kind } from './support/refusals.ts'
import { sameStores } from './support/stores.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const program = join(root, 'dist/cli/main.js')
const nowhere = '/nowhere/libhotrow_cuda.so'
const test = suite('gpu')

/** A program of ours, in a process with a library of its own. */
function run(
  library: string,
  ...args: string[]
): { code: number | null; out: string; err: string } {
  const env = { ...process.env, HOTROW_GPU_LIBRARY: library }
  const child = spawnSync(process.execPath, args, { encoding: 'utf8', env, cwd: root })
  return { code: child.status, out: child.stdout, err: child.stderr }
}

test('wrong options are named', () => {
  const wrong: [gpu: unknown, kind: Kind, message: RegExp][] = [
    [true, 'TypeError', /^gpu: expected an object/],
    [{}, 'TypeError', /^gpu\.bytes: expected a number of bytes or a string like '8GiB'/],
    [{ bytes: 0 }, 'RangeError', /^gpu\.bytes: expected an integer from 1048576/],
    [{ bytes: '8GB' }, 'RangeError', /^gpu\.bytes: expected a number and B, KiB, MiB, GiB or TiB/],
    [{ bytes: '1KiB' }, 'RangeError', /^gpu\.bytes: expected '1MiB' to '64TiB'/],
    [{ bytes: '-1GiB' }, 'RangeError', /^gpu\.bytes/],
    [{ bytes: '1GiB', device: -1 }, 'RangeError', /^gpu\.device: expected an integer from 0/],
    [{ bytes: '1GiB', device: '0' }, 'TypeError', /^gpu\.device/],
    [{ bytes: '1GiB', policy: 'mru' }, 'RangeError', /^gpu\.policy: expected one of 'lru'/],
    [{ bytes: '1GiB', promotion: 'never' }, 'RangeError', /^gpu\.promotion: expected one of/],
    [{ bytes: '1GiB', fillAbove: 1.5 }, 'RangeError', /^gpu\.fillAbove: expected a number from 0/],
    [{ bytes: '1GiB', fillAbove: Number.NaN }, 'RangeError', /^gpu\.fillAbove: expected/],
    [{ bytes: '1GiB', fillAbove: '95%' }, 'TypeError', /^gpu\.fillAbove: expected a number/],
    [{ bytes: '1GiB', share: 1 }, 'RangeError', /^gpu: expected only device, bytes/],
  ]
  for (const [gpu, kind, message] of wrong) {
    assertRefusal(
      errorAtOnce(() => open(':memory:', { gpu: gpu as GpuOptions })),
      { kind, message },
    )
  }
})

test('a wrong share of a table is named', async () => {
  await using store = await open(':memory:')
  for (const [gpu, kind] of [
    [true, 'TypeError'],
    ['half', 'TypeError'],
    [0, 'RangeError'],
    [-0.5, 'RangeError'],
    [1.5, 'RangeError'],
    [Number.NaN, 'RangeError'],
    [1e-60, 'RangeError'],
  ] as const) {
    assertRefusal(
      errorAtOnce(() => store.table('t', { dim: 1, gpu: gpu as number })),
      { kind, message: /^gpu: expected false or a number/ },
    )
  }
})

test('a store that was not asked has no figures of a GPU', async () => {
  await using store = await open(':memory:')
  assert.is((await store.stats()).gpu, null)
})

test('where there is no library the store goes on and says why', () => {
  const script = `
    import { open } from 'hotrow'
    const store = await open(':memory:', { gpu: { bytes: '64MiB' } })
    const table = await store.table('t', { dim: 2 })
    await table.push(BigUint64Array.of(1n), Float32Array.of(1, 1))
    console.log(JSON.stringify((await store.stats()).gpu))
    await store.close()`
  const { sharedObjects } = process.report.getReport() as unknown as { sharedObjects: string[] }
  const another = sharedObjects.find((path) => /librocksdb/.test(path))
  assert.is.not(another, undefined)
  for (const [library, reason] of [
    [nowhere, /there is no GPU library at '\/nowhere/],
    [join(root, 'package.json'), /the GPU library does not load/],
    [another!, /is no GPU library: it has no hotrow_tier_api/],
  ] as const) {
    const { code, out, err } = run(library, '--input-type=module', '-e', script)
    assert.is(code, 0, err)
    const gpu = JSON.parse(out) as { available: boolean; reason: string; tables: unknown[] }
    assert.is(gpu.available, false)
    assert.match(gpu.reason, reason)
    assert.is((gpu.tables[0] as { reason: string }).reason, gpu.reason)
  }
})

test('a table without rows on a GPU has none to prefetch', async () => {
  const store = await open(':memory:')
  const table = await store.table('t', { dim: 1, optimizer: sum() })
  await table.push(keyRange(0, 10), filled(10, 1))
  assert.is(await table.prefetch(keyRange(0, 10)), 0)
  assert.is(await table.releasePrefetched(), undefined)
  const error = await table.lookupOnDevice(keyRange(0, 10)).then(
    () => undefined,
    (reason: Error & { code?: string }) => reason,
  )
  assert.is(error?.code, 'ERR_UNSUPPORTED')
  assert.match(String(error?.message), /table 't' has no rows on a GPU/)
  assertRefusal(
    errorAtOnce(() => table.prefetch([1n] as unknown as BigUint64Array)),
    { kind: 'TypeError', message: /^keys: expected .*BigUint64Array/ },
  )
  await store.close()
})

test('openers of one store ask for one GPU', async () => {
  await using _ = await open(':memory:gpu-shared', { gpu: { bytes: '64MiB' } })
  await using second = await open(':memory:gpu-shared')
  assert.is.not((await second.stats()).gpu, null)
  const error = await open(':memory:gpu-shared', { gpu: { bytes: '32MiB' } }).then(
    () => undefined,
    (reason: Error & { code?: string }) => reason,
  )
  assert.is(error?.code, 'ERR_CONFLICT')
  assert.match(String(error?.message), /gpu/)
})

test('doctor says what there is, and that it works', () => {
  const people = run(nowhere, program, 'doctor')
  assert.is(people.code, 0, people.err)
  assert.match(people.out, /^gpu +none: there is no GPU library/m)
  assert.match(people.out, /^self-test +ok on the CPU/m)
  const json = run(nowhere, program, 'doctor', '--json')
  assert.is(json.code, 0, json.err)
  const found = JSON.parse(json.out) as Record<string, Record<string, unknown>>
  assert.is(found['node'] as unknown, process.version)
  assert.is(found['gpu']?.['available'], false)
  assert.ok((found['selfTest']?.['rounds'] as number) > 0)
  assert.is(run(nowhere, program, 'doctor', '--device', 'x').code, 2)
})

const emulated = ['build/libhotrow_tier_emulated.so', 'build/Release/libhotrow_tier_emulated.so']
const library =
  process.env['HOTROW_GPU_LIBRARY'] ??
  emulated.map((path) => join(root, path)).find((path) => existsSync(path))
if (library === undefined) {
  console.log('gpu=skipped (no GPU library: neither HOTROW_GPU_LIBRARY nor an emulated one)')
} else {
  process.env['HOTROW_GPU_LIBRARY'] = library
}

/** Some keys that come again and again, and some that do not. */
function batch(round: number): BigUint64Array {
  return BigUint64Array.from({ length: 500 }, (_, i) =>
    BigInt(i % 2 === 0 ? i % 50 : (i * 7919 + round * 104_729) % 5_000),
  )
}

async function train(store: Store, rounds: number): Promise<Table> {
  const table = await store.table('t', { dim: 8, optimizer: adam() })
  const offsets = Uint32Array.from({ length: 51 }, (_, i) => i * 10)
  for (let round = 0; round < rounds; round++) {
    const keys = batch(round)
    const rows = await table.lookup(keys)
    await table.lookupPooled(keys, offsets)
    await table.push(
      keys,
      rows.map((value, i) => value / 2 + (i % 7) / 10 - 0.3),
    )
    await table.pushPooled(keys, offsets, filled(50 * 8, 0.01))
    if (round % 5 === 4) await table.update(keyRange(round, 20), filled(160, 0.25))
    if (round % 7 === 6) await table.erase(keyRange(round * 3, 5))
  }
  return table
}

if (library !== undefined) {
  test('with a GPU every result is the one without', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hotrow-'))
    try {
      const gpu = { bytes: '16MiB', promotion: 'always' } as const
      await using ours = await open(join(folder, 'ours'), { gpu })
      await using theirs = await open(join(folder, 'theirs'))
      const table = await train(ours, 20)
      await train(theirs, 20)
      const figures = (await ours.stats()).gpu
      assert.is(figures?.reason, '')
      assert.ok(figures?.available && figures.tables[0]!.hits > 0)
      await sameStores(ours, theirs)
      await ours.commit()
      await theirs.commit()
      await train(ours, 5)
      await ours.rollback(1)
      await sameStores(ours, theirs)
      same(table.lookupSync(batch(3)), await (await theirs.table('t')).lookup(batch(3)))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test('a batch that was prefetched has no miss until its push', async () => {
    await using store = await open(':memory:', { gpu: { bytes: '2MiB', promotion: 'always' } })
    const table = await store.table('t', { dim: 32, optimizer: sum() })
    const all = keyRange(0, 40_000)
    await table.push(all, filled(40_000 * 32, 1))
    const figures = async () => (await store.stats()).gpu!.tables[0]!
    const { capacity } = await figures()
    assert.ok(capacity > 1000 && capacity < 40_000, `${capacity} rows fit`)
    const next = keyRange(100, 500)
    const twice = new BigUint64Array([...next, ...next, 1n << 60n])
    assert.is(await table.prefetch(twice), 500)
    assert.is((await figures()).heldRows, 500)
    // Others come all the time meanwhile.
    for (let i = 0; i < 5; i++) await table.lookup(keyRange(1000, 30_000))
    const before = await figures()
    assert.ok(before.evicted > 0)
    const rows = await table.lookup(next)
    assert.is((await figures()).hits - before.hits, 500)
    assert.equal(rows, filled(500 * 32, 1))
    await table.push(next.subarray(0, 300), filled(300 * 32, 1))
    assert.is((await figures()).heldRows, 200)
    await table.releasePrefetched()
    assert.is((await figures()).heldRows, 0)
    assert.equal(await table.lookup(next.subarray(0, 300)), filled(300 * 32, 2))
  })

  test('rows that stay on the GPU are those of a lookup, and outlive their store', async () => {
    const store = await open(':memory:', { gpu: { bytes: '16MiB', promotion: 'always' } })
    const table = await store.table('t', { dim: 6, optimizer: sum() })
    await table.push(
      keyRange(0, 400),
      Float32Array.from({ length: 2400 }, (_, i) => i),
    )
    await table.lookup(keyRange(0, 200))
    const keys = new BigUint64Array([...keyRange(100, 400), 5n, 5n])
    const found = new Uint8Array(51)
    const rows = await table.lookupOnDevice(keys, { missing: 7, found })
    const foundHere = new Uint8Array(51)
    const expected = await table.lookup(keys, { missing: 7, found: foundHere })
    assert.equal(found, foundHere)
    assert.is(found[0], 0xff)
    assert.is(found[40], 0)
    assertRefusal(await errorOf(() => table.lookupOnDevice(keys, { found: new Uint8Array(50) })), {
      kind: 'RangeError',
      message: /^found: expected 51 bytes/,
    })
    assert.is(rows.rows, 402)
    assert.is(rows.dim, 6)
    await table.push(keyRange(0, 400), filled(2400, 1))
    await store.close()
    same(await rows.copyTo(), expected)
    const out = new Float32Array(402 * 6)
    assert.is(await rows.copyTo(out), out)
    same(out, expected)
    assertRefusal(
      errorAtOnce(() => rows.copyTo(new Float32Array(5))),
      { kind: 'RangeError', message: /^out: / },
    )
    const copy = rows.copyTo()
    rows.release()
    rows.release()
    same(await copy, expected)
    const error = await rows.copyTo().catch((reason: { code?: string }) => reason)
    assert.is((error as { code?: string }).code, 'ERR_CLOSED')
  })

  test('above a hit rate a lookup does not wait, and the next one finds the rows', async () => {
    const gpu = { bytes: '16MiB', promotion: 'always', fillAbove: 0.9 } as const
    await using store = await open(':memory:', { gpu })
    const table = await store.table('t', { dim: 6, optimizer: sum() })
    await table.push(keyRange(0, 5000), filled(5000 * 6, 1))
    const figures = async () => (await store.stats()).gpu!.tables[0]!
    const keys = keyRange(0, 1000)
    assert.equal(await table.lookup(keys), filled(6000, 1), 'nothing is there: it waits')
    const more = new BigUint64Array([...keys, ...keyRange(3000, 50)])
    const found = new Uint8Array(132)
    const rows = await table.lookup(more, { found, missing: -1 })
    assert.equal(rows.subarray(0, 6000), filled(6000, 1))
    assert.equal(rows.subarray(6000), filled(300, -1))
    assert.equal(found.subarray(0, 125), new Uint8Array(125).fill(0xff))
    assert.equal(found.subarray(125), new Uint8Array(7))
    assert.is((await figures()).defaulted, 50)
    // Older than the rows that are on their way.
    await table.push(keyRange(3000, 50), filled(300, 1))
    while ((await figures()).fillsWaiting > 0)
      await new Promise((resolve) => setTimeout(resolve, 1))
    const before = (await figures()).hits
    assert.equal((await table.lookup(more)).subarray(6000), filled(300, 2))
    assert.is((await figures()).hits - before, 1050)
    assert.is((await figures()).fillsDropped, 0)
    await table.lookup(new BigUint64Array([...keys, 4000n]))
  })

  test('no more is held than half of what the GPU has room for', async () => {
    await using store = await open(':memory:', { gpu: { bytes: '2MiB' } })
    const table = await store.table('t', { dim: 32, optimizer: sum() })
    await table.push(keyRange(0, 40_000), filled(40_000 * 32, 1))
    const figures = async () => (await store.stats()).gpu!.tables[0]!
    const half = Math.floor((await figures()).capacity / 2)
    assert.ok((await table.prefetch(keyRange(0, 40_000))) <= half)
    assert.ok((await figures()).heldRows <= half)
    assert.is(await table.prefetch(keyRange(0, 100)), 100)
    assert.is((await figures()).heldRows, 100)
  })

  test('several tables at once, with a GPU and without', async () => {
    await using store = await open(':memory:', { gpu: { bytes: '16MiB', promotion: 'always' } })
    const on = await store.table('on', { dim: 2, optimizer: sum() })
    const off = await store.table('off', { dim: 2, optimizer: sum(), gpu: false })
    const keys = keyRange(0, 100)
    for (let i = 1; i <= 3; i++) {
      await store.pushAll([
        [on, keys, filled(200, 1)],
        [off, keys, filled(200, 1)],
      ])
      const [a, b] = await store.lookupAll([
        [on, keys],
        [off, keys],
      ])
      assert.equal(a, filled(200, i))
      assert.equal(b, filled(200, i))
    }
    const figures = (await store.stats()).gpu
    assert.match(figures!.tables.find(({ name }) => name === 'off')!.reason, /gpu is false/)
  })
}

test.run()
