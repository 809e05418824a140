// Malformed files: each is named with what is wrong, nothing is imported and nothing crashes.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as arrow from 'apache-arrow'
import fc from 'fast-check'
import { adagrad, type ExportFormat, open, type Store, StoreError } from 'hotrow'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { floats, keys } from '../support/arrays.ts'
import { npyOf, safetensorsOf, tensorsOf, writeFolder } from '../support/foreign.ts'
import { errorOf } from '../support/refusals.ts'

const test = suite<{ folder: string; store: Store }>('hostile files')

test.before.each(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'hotrow-'))
  context.store = await open(':memory:')
})
test.after.each(async ({ folder, store }) => {
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

async function refused(
  store: Store,
  path: string,
  message: RegExp,
  code = 'ERR_INVALID_ARGUMENT',
): Promise<void> {
  const error = await errorOf(() => store.importFrom(path, { table: 't' }))
  assert.instance(error, StoreError)
  assert.is(error.code, code, error.message)
  assert.match(error.message, message)
  assert.ok(error.message.includes(path), `names the file: ${error.message}`)
  assert.equal(await store.tables(), [])
}

const two = { keys: ['U64', [2], BigUint64Array.of(1n, 2n)] as [string, number[], BigUint64Array] }
const entry = (begin: number, end: number, shape: unknown = [2], dtype: unknown = 'U64') => ({
  dtype,
  shape,
  data_offsets: [begin, end],
})
const data = new Uint8Array(32)
const rows = entry(16, 32, [2, 2], 'F32')
const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`

const safetensors: Record<string, [Buffer, RegExp]> = {
  'shorter than a length': [Buffer.alloc(5), /neither|too short/],
  'a length beyond the file': [safetensorsOf('{}', data, 2n ** 40n), /header would have/],
  'a length of 2^64 - 1': [safetensorsOf('{}', data, 2n ** 64n - 1n), /header would have/],
  'no JSON': [safetensorsOf('{"keys":', data), /header of JSON/],
  'bytes that are no UTF-8': [
    Buffer.concat([safetensorsOf('', data, 3n).subarray(0, 8), Buffer.from('{\xff}', 'latin1')]),
    /header of JSON/,
  ],
  'nested without end': [safetensorsOf(`{"a":${deep}}`, data), /JSON|dtype/],
  'a null tensor': [safetensorsOf('{"keys":null}', data), /'keys': expected a dtype/],
  'a shape of text': [safetensorsOf({ keys: entry(0, 16, '2') }, data), /shape/],
  'a negative dimension': [safetensorsOf({ keys: entry(0, 16, [-2]) }, data), /shape/],
  'a huge dimension': [
    safetensorsOf({ keys: entry(0, 16, [2 ** 40, 2 ** 40]) }, data),
    /are not \[/,
  ],
  'offsets beyond the file': [safetensorsOf({ keys: entry(0, 64, [8]) }, data), /not within/],
  'offsets that fall': [safetensorsOf({ keys: entry(16, 0) }, data), /not within/],
  'offsets that are fractions': [safetensorsOf({ keys: entry(0.5, 16) }, data), /data_offsets/],
  'a shape that is not its bytes': [safetensorsOf({ keys: entry(0, 16, [3]) }, data), /are not/],
  overlaps: [
    safetensorsOf({ keys: entry(0, 16), rows: entry(8, 24, [2, 2], 'F32') }, data),
    /overlaps/,
  ],
  'a gap': [
    safetensorsOf({ keys: entry(0, 8, [1]), rows: entry(16, 32, [1, 4], 'F32') }, data),
    /gap/,
  ],
  'bytes at the end': [safetensorsOf({ keys: entry(0, 16) }, data), /belong to no tensor/],
  'keys of text': [
    safetensorsOf({ keys: entry(0, 16, [4], 'F32'), rows: entry(16, 32, [4, 1], 'F32') }, data),
    /expected keys of/,
  ],
  'rows of integers': [
    safetensorsOf({ keys: entry(0, 16), rows: entry(16, 32, [2, 1]) }, data),
    /expected values of/,
  ],
  'rows for other keys': [
    safetensorsOf({ keys: entry(0, 16), rows: entry(16, 32, [4, 1], 'F32') }, data),
    /one row a key/,
  ],
  'an unknown type': [
    safetensorsOf({ keys: entry(0, 16), rows: entry(16, 32, [2, 16], 'F4') }, data),
    /expected values of/,
  ],
  'a description that is no JSON': [
    safetensorsOf({ __metadata__: { hotrow: '{' }, keys: entry(0, 16), rows }, data),
    /metadata: expected JSON/,
  ],
  'a description of what is not there': [
    safetensorsOf(
      {
        __metadata__: {
          hotrow: JSON.stringify({
            version: 1,
            parameters: [
              { name: 't', kind: 'table', steps: 0, options: {}, arrays: { keys: 'x' } },
            ],
          }),
        },
        keys: entry(0, 16),
        rows,
      },
      data,
    ),
    /expected the keys of 't'/,
  ],
  'options that cannot be': [
    safetensorsOf(
      {
        __metadata__: {
          hotrow: JSON.stringify({
            version: 1,
            parameters: [
              {
                name: 't',
                kind: 'table',
                steps: 0,
                options: { optimizer: { kind: 'magic' } },
                arrays: { keys: 'keys', rows: 'rows' },
              },
            ],
          }),
        },
        keys: entry(0, 16),
        rows,
      },
      data,
    ),
    /options or shape: optimizer.kind/,
  ],
  'NaN in a row': [
    tensorsOf({ ...two, rows: ['F32', [2, 1], floats(1, Number.NaN)] }),
    /NaN or infinity for key 2/,
  ],
}

for (const [what, [bytes, message]] of Object.entries(safetensors)) {
  test(`safetensors: ${what}`, async ({ folder, store }) => {
    const path = join(folder, 'a.safetensors')
    writeFileSync(path, bytes)
    const error = await errorOf(() => store.importFrom(path, { table: 't', format: 'safetensors' }))
    assert.instance(error, StoreError)
    assert.is(error.code, 'ERR_INVALID_ARGUMENT')
    assert.match(error.message, message)
  })
}

const goodKeys = npyOf('<u8', [2], BigUint64Array.of(1n, 2n))
const good = npyOf('<f4', [2, 1], floats(1, 2))
const withHeader = (text: string): Buffer => {
  const start = Buffer.from('\x93NUMPY\x01\x00\x00\x00', 'latin1')
  start.writeUInt16LE(text.length, 8)
  return Buffer.concat([start, Buffer.from(text), Buffer.alloc(8)])
}
const version = (major: number): Buffer => {
  const copy = Buffer.from(good)
  copy[6] = major
  return copy
}
const npy: Record<string, [Buffer, RegExp]> = {
  empty: [Buffer.alloc(0), /does not begin/],
  'no magic': [Buffer.alloc(100), /does not begin/],
  'version 9': [version(9), /unknown .npy version 9/],
  'a header beyond the file': [version(2), /header would have|header with descr/],
  'no dictionary': [withHeader('hello'), /expected a header/],
  'a structured type': [
    withHeader("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 1), }"),
    /numbers of one type/,
  ],
  'an object type': [
    withHeader("{'descr': '|O8', 'fortran_order': False, 'shape': (2, 1), }"),
    /numbers of one type/,
  ],
  'a shape of words': [
    withHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (two, 1), }"),
    /expected a header|shape/,
  ],
  'a shape with a hole': [
    withHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (2,,1), }"),
    /shape/,
  ],
  'too large a shape': [
    npyOf('<f4', [2 ** 30, 2 ** 30], floats(1, 2)),
    /8 bytes of data are not \[1073741824,1073741824\]/,
  ],
  'cut off': [good.subarray(0, good.length - 1), /7 bytes of data are not/],
  'longer than its shape': [Buffer.concat([good, Buffer.alloc(1)]), /9 bytes of data are not/],
  'one dimension': [npyOf('<f4', [2], floats(1, 2)), /expected shape \[2, values\]/],
  'no values': [npyOf('<f4', [2, 0], floats()), /at least one value/],
}

for (const [what, [bytes, message]] of Object.entries(npy)) {
  test(`npy: ${what}`, ({ folder, store }) => {
    const path = writeFolder(join(folder, 'a'), { 'keys.npy': goodKeys, 'rows.npy': bytes })
    return refused(store, path, message)
  })
}

test('npy: rows are missing, or all is', async ({ folder, store }) => {
  const path = writeFolder(join(folder, 'a'), { 'u.keys.npy': goodKeys })
  await refused(store, path, /has no u.rows.npy/)
  await refused(store, writeFolder(join(folder, 'b'), { 'x.npy': good }), /expected keys.npy/)
  await refused(store, writeFolder(join(folder, 'c'), {}), /has no .npy/)
})

test('npy: a description leads nowhere else', async ({ folder, store }) => {
  writeFolder(folder, { 'keys.npy': goodKeys, 'rows.npy': good })
  const arrays = { keys: '../keys.npy', rows: '../rows.npy' }
  const parameters = [{ name: 't', kind: 'table', steps: 0, options: {}, arrays }]
  const description = Buffer.from(JSON.stringify({ version: 1, parameters }))
  const path = writeFolder(join(folder, 'a'), { 'hotrow.json': description, 'x.npy': good })
  await refused(store, path, /expected the keys of 't'/)
})

test('HugeCTR: lengths that do not fit together', async ({ folder, store }) => {
  const cases: [ArrayBufferView, ArrayBufferView, RegExp][] = [
    [new Uint8Array(12), floats(1), /12 bytes are no 64-bit integers/],
    [BigInt64Array.of(1n, 2n), floats(1, 2, 3), /12 bytes are not f32 rows .* 2 keys/],
    [new Uint8Array(0), floats(1), /0 keys/],
    [BigInt64Array.of(1n), floats(), /0 bytes/],
  ]
  for (const [i, [key, emb_vector, message]] of cases.entries()) {
    await refused(store, writeFolder(join(folder, String(i)), { key, emb_vector }), message)
  }
  const slots = { key: BigInt64Array.of(1n), emb_vector: floats(1), slot_id: new Uint8Array(16) }
  const path = writeFolder(join(folder, 'slots'), slots)
  const error = await errorOf(() => store.importFrom(path, { table: 't', slots: true }))
  assert.match(error.message, /slot_id: expected 1 slots, it has 2/)
})

test('what is not there is not found', async ({ folder, store }) => {
  await refused(store, join(folder, 'nothing'), /ENOENT/, 'ERR_NOT_FOUND')
})

/** A table and a dense parameter as files: their paths and what is in them. */
async function exported(path: string, form: 'safetensors' | 'npy' | 'arrow' | 'arrow stream') {
  const store = await open(':memory:')
  const table = await store.table('t', { dim: 2, optimizer: adagrad() })
  await table.push(keys(1, 2, 3), floats(1, 2, 3, 4, 5, 6))
  await store.dense('d', { shape: [3] })
  const format = form.split(' ')[0] as ExportFormat
  await store.exportTo(path, { format })
  await store.close()
  const files = format === 'safetensors' ? [path] : readdirSync(path).map((f) => join(path, f))
  if (form === 'arrow stream') {
    for (const file of files) {
      const read = arrow.tableFromIPC(readFileSync(file))
      writeFileSync(file, arrow.tableToIPC(read, 'stream'))
    }
  }
  return { format, files, originals: files.map((file) => readFileSync(file)) }
}

// Each of them once led the reader in a circle or through two milliards of values.
for (const [form, what, place, bytes, message] of [
  ['arrow', 'a batch without a head', 8, [91, 77, 48], /its head would have -\d+ bytes/],
  ['arrow stream', 'a length that leads back', 4, [0, 0, 0, 255], /its head would have -/],
  ['arrow stream', 'a root beyond its end', 8, [255, 255, 255, 127], /leads to byte 2147483647/],
] as const) {
  test(`${form}: ${what}`, async ({ folder, store }) => {
    const path = join(folder, 'x')
    const { files, originals } = await exported(path, form)
    const [first] = originals as [Buffer]
    first.set(bytes, place)
    writeFileSync(files[0]!, first)
    const error = await errorOf(() => store.importFrom(path, { format: 'arrow' }))
    assert.instance(error, StoreError)
    assert.match(error.message, message)
  })
}

for (const form of ['safetensors', 'npy', 'arrow', 'arrow stream'] as const) {
  test(`${form}: any bytes changed, cut or added end in a StoreError or a store`, async ({
    folder,
  }) => {
    const path = join(folder, 'x')
    const { format, files, originals } = await exported(path, form)
    const change = fc.record({
      file: fc.nat(),
      at: fc.nat(),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 9 }),
      kind: fc.constantFrom('change', 'change', 'cut', 'add'),
    })
    await fc.assert(
      fc.asyncProperty(change, async ({ file, at, bytes, kind }) => {
        const which = file % files.length
        const original = originals[which]!
        const place = at % (original.length + 1)
        const [head, tail] = [original.subarray(0, place), original.subarray(place)]
        const changed = { change: tail.subarray(bytes.length), cut: Buffer.alloc(0), add: tail }
        const middle = kind === 'cut' ? Buffer.alloc(0) : bytes
        writeFileSync(files[which]!, Buffer.concat([head, middle, changed[kind]]))
        const copy = await open(':memory:')
        try {
          await copy.importFrom(path, { format })
        } catch (error) {
          const { name, code } = error as Error & { code?: string }
          assert.ok(name === 'StoreError' || name === 'ImportInterruptedError', String(error))
          assert.is.not(code, undefined)
        } finally {
          await copy.close()
          writeFileSync(files[which]!, original)
        }
      }),
      { numRuns: 250 },
    )
  })
}

test.run()
