/** Which format lies at a path, where nobody says. */
import { readdir, stat } from 'node:fs/promises'
import { InputFile, malformed, naming } from './files.ts'
import type { ImportFormat } from './types.ts'

async function folderFormat(path: string): Promise<ImportFormat> {
  const names = await naming(path, () => readdir(path))
  if (names.includes('key') && names.includes('emb_vector')) return 'hugectr'
  if (names.some((name) => name.endsWith('.npy'))) return 'npy'
  if (names.some((name) => /\.(arrow|feather)$/.test(name))) return 'arrow'
  throw malformed(path, "has no .npy or .arrow files and no HugeCTR 'key' and 'emb_vector'")
}

async function fileFormat(path: string): Promise<ImportFormat> {
  const file = await InputFile.open(path)
  try {
    const start = Buffer.from(await file.read(0, Math.min(file.size, 9))).toString('latin1')
    if (start.startsWith('ARROW1') || start.startsWith('\xff\xff\xff\xff')) return 'arrow'
    if (start.startsWith('\x93NUMPY')) {
      throw malformed(path, 'is one .npy file: name the folder with the keys and the rows')
    }
    if (start[8] === '{') return 'safetensors'
  } finally {
    await file.close()
  }
  throw malformed(path, 'is neither safetensors nor Arrow')
}

export async function formatOf(path: string): Promise<ImportFormat> {
  const its = await naming(path, () => stat(path))
  return its.isDirectory() ? folderFormat(path) : fileFormat(path)
}
