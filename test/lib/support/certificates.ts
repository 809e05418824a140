// Certificates for tests, made by the `openssl` command while they run.

import { execFileSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Issued {
  certFile: string
  keyFile: string
}

const run = (...args: string[]): void => {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
const kNewKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

/** An authority in a folder, and what it signs. */
export class Authority {
  readonly caFile: string
  readonly #folder: string
  readonly #keyFile: string

  constructor(folder: string, name = 'ca') {
    this.#folder = folder
    this.caFile = join(folder, `${name}.pem`)
    this.#keyFile = join(folder, `${name}.key`)
    const files = ['-keyout', this.#keyFile, '-out', this.caFile]
    run('req', '-x509', ...kNewKey, '-subj', `/CN=${name}`, '-days', '2', ...files)
  }

  /** `names` as OpenSSL writes them: `DNS:a,IP:127.0.0.1`. */
  issue(name: string, names: string): Issued {
    const [certFile, keyFile, request, extensions] = ['pem', 'key', 'csr', 'ext'].map((end) =>
      join(this.#folder, `${name}.${end}`),
    ) as [string, string, string, string]
    run('req', ...kNewKey, '-subj', `/CN=${name}`, '-keyout', keyFile, '-out', request)
    writeFileSync(extensions, `subjectAltName=${names}\n`)
    const signer = ['-CA', this.caFile, '-CAkey', this.#keyFile, '-CAcreateserial']
    const files = ['-in', request, '-extfile', extensions, '-out', certFile]
    run('x509', '-req', '-days', '2', ...signer, ...files)
    chmodSync(keyFile, 0o600)
    return { certFile, keyFile }
  }
}
