// Damage to files of a store.

import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Flips a bit of the first sorted file in a folder, in its first block. */
export async function damage(folder: string): Promise<void> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.sst'))
  const file = await open(join(folder, files[0] as string), 'r+')
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, 60)
  byte[0] = (byte[0] as number) ^ 1
  await file.write(byte, 0, 1, 60)
  await file.close()
}
