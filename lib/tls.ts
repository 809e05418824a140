/** TLS 1.3 between servers and clients: the files that prove who they are. */
import type { NativeTls } from './addon.ts'
import { checkObject } from './checks.ts'
import { rangeError, typeError } from './errors.ts'

/**
 * Whom a server lets in, by names of files. Secrets lie in files only; one with a key or token is
 * refused when anybody but its owner may read it (`chmod 600`). They are read when the server
 * starts.
 *
 * A server takes certificates (`caFile`), pre-shared keys (`pskFile`), tokens (`tokenFile`) or
 * several of them; it has a certificate itself unless it takes keys only. Key and token files have
 * lines `IDENTITY:SECRET`; a key is 16 to 64 bytes in hexadecimal digits, a token 16 to 512
 * printable characters.
 */
export interface ServerTls {
  /** The server's certificate and those between it and its authority, PEM. */
  certFile?: string
  /** Of the certificate, PEM without a passphrase. */
  keyFile?: string
  /**
   * Authorities whose certificates clients may have, PEM. A client's identity is the first DNS name
   * or URI of its certificate's subjectAltName.
   */
  caFile?: string
  /** Keys of clients. */
  pskFile?: string
  /** Tokens of clients. */
  tokenFile?: string
  /** What each identity may do, JSON (docs/FORMATS.md); by default all are trainers. */
  accessFile?: string
}

/**
 * How a client proves who it is and knows its servers, by names of files: `pskFile` alone, or
 * `caFile` with either `certFile` and `keyFile` or `tokenFile`. Files as those of `ServerTls`.
 */
export interface ClientTls {
  /** Authorities whose certificates servers may have, PEM. */
  caFile?: string
  /** The client's certificate, PEM. */
  certFile?: string
  /** Of the certificate, PEM without a passphrase. */
  keyFile?: string
  /** One line: the client's key. */
  pskFile?: string
  /** One line: the client's token. */
  tokenFile?: string
  /** That the servers' certificates have; by default the host of each address. */
  serverName?: string
}

/** @internal */
export const serverTlsFields = [
  'certFile',
  'keyFile',
  'caFile',
  'pskFile',
  'tokenFile',
  'accessFile',
] as const
/** @internal */
export const clientTlsFields = [
  'caFile',
  'certFile',
  'keyFile',
  'pskFile',
  'tokenFile',
  'serverName',
] as const

/** @internal Which of them go together is the core's to judge. */
export function checkTls(value: unknown, known: readonly string[]): NativeTls {
  const none = Object.fromEntries(known.map((field) => [field, '']))
  if (value === undefined) return none
  const given = Object.entries(checkObject('tls', value, known)).filter(
    ([, each]) => each !== undefined,
  )
  for (const [field, each] of given) {
    if (typeof each !== 'string') throw typeError(`tls.${field}`, 'a string', each)
    if (each === '' || each.includes('\0')) throw rangeError(`tls.${field}`, 'a name', each)
  }
  // An empty object would otherwise be no TLS at all.
  if (given.length === 0) throw rangeError('tls', `some of ${known.join(', ')}`, 'none')
  return { ...none, ...Object.fromEntries(given) } as NativeTls
}
