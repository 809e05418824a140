/** `hotrow key`: a new secret in a file of pre-shared keys or tokens. */
import { randomBytes } from 'node:crypto'
import { chmod, open, readFile } from 'node:fs/promises'
import { type Command, UsageError } from './command.ts'

const secretBytes = 32

/** Of the file's text, the identities of its lines. */
function identitiesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.slice(0, line.lastIndexOf(':')))
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}

export const keyCommand: Command = {
  name: 'key',
  summary: 'add a new secret to a file of pre-shared keys or tokens',
  positionals: ['FILE', 'IDENTITY'],
  flags: {
    token: { type: 'boolean', help: 'a token instead of a pre-shared key' },
  },
  details: [
    'Adds a line IDENTITY:SECRET of 32 random bytes to FILE, which is made when it is not',
    'there and may then be read by its owner only. The secret is not printed. Servers take',
    'the file by --psk-file or --token-file; a client takes one with its own line alone.',
  ].join('\n'),
  async run(call) {
    const [file, identity] = call.positionals as [string, string]
    if (!/^[!-~]{1,128}$/.test(identity) || identity.startsWith('#')) {
      throw new UsageError('IDENTITY: expected 1 to 128 printable characters without spaces')
    }
    const before = await textOf(file)
    if (identitiesOf(before).includes(identity)) {
      throw new UsageError(`${file} has a line of '${identity}' already`)
    }
    const bytes = randomBytes(secretBytes)
    const secret = bytes.toString(call.given('token') ? 'base64url' : 'hex')
    const handle = await open(file, 'a', 0o600)
    try {
      if (before === '') await chmod(file, 0o600)
      const end = before === '' || before.endsWith('\n') ? '' : '\n'
      await handle.writeFile(`${end}${identity}:${secret}\n`)
    } finally {
      await handle.close()
    }
    call.output.result({ file, identity }, () => `${file} has a secret of ${identity}`)
  },
}
