/**
 * HugeCTR's sparse-model folders: `key`, int64 [n]; `emb_vector`, f32 [n, dim]; and, of localized
 * slot embeddings, `slot_id`, u64 [n]. None has a header: their lengths say the shape. Optimizer
 * states lie in files of other names and orders and are not read.
 */
import { join } from 'node:path'
import type { ScanPage } from '../pages.ts'
import { tableOf } from './description.ts'
import { InputFile, malformed } from './files.ts'
import { readKeys, type Tensor } from './tensor.ts'
import type { Source, SourceTable } from './types.ts'

const maxSlot = 2n ** 20n - 1n

function vectorOf(file: InputFile): Tensor {
  if (file.size % 8 !== 0) throw malformed(file.path, `${file.size} bytes are no 64-bit integers`)
  return { file, offset: 0, type: 'i64', shape: [file.size / 8], where: file.path }
}

function rowsOf(file: InputFile, count: number): Tensor {
  const width = file.size / 4 / count
  if (count === 0 || width === 0 || !Number.isInteger(width)) {
    throw malformed(
      file.path,
      `${file.size} bytes are not f32 rows of one length for ${count} keys`,
    )
  }
  return { file, offset: 0, type: 'f32', shape: [count, width], where: file.path }
}

/** The pages with each row's slot in the upper 20 bits of its key. */
async function* slotted(
  slots: Tensor,
  pages: AsyncIterable<ScanPage>,
): AsyncGenerator<ScanPage, void, undefined> {
  let first = 0
  for await (const page of pages) {
    const its = await readKeys(slots, first, page.keys.length)
    for (let i = 0; i < its.length; i++) {
      if (its[i]! > maxSlot || page.keys[i]! >> 44n !== 0n) {
        throw malformed(
          slots.where,
          `slot ${its[i]} and key ${page.keys[i]} do not fit in 20 and 44 bits`,
        )
      }
      page.keys[i]! |= its[i]! << 44n
    }
    first += its.length
    yield page
  }
}

function withSlots(table: SourceTable, slots: Tensor): SourceTable {
  if (slots.shape[0] !== table.rows) {
    throw malformed(slots.where, `expected ${table.rows} slots, it has ${slots.shape[0]}`)
  }
  return { ...table, pages: (rows, state) => slotted(slots, table.pages(rows, state)) }
}

/** Opens a folder and checks that its files fit together. */
export async function openHugectr(path: string, useSlots: boolean): Promise<Source> {
  const opened: InputFile[] = []
  const close = async (): Promise<void> => {
    for (const file of opened) await file.close()
  }
  const open = async (name: string): Promise<InputFile> => {
    const file = await InputFile.open(join(path, name))
    opened.push(file)
    return file
  }
  try {
    const keys = vectorOf(await open('key'))
    const rows = rowsOf(await open('emb_vector'), keys.shape[0]!)
    const table = tableOf({}, keys, rows, undefined)
    const parameters = [useSlots ? withSlots(table, vectorOf(await open('slot_id'))) : table]
    return { parameters, close }
  } catch (error) {
    await close()
    throw error
  }
}
