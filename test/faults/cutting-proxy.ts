// A proxy between clients and their server that holds bytes back and cuts connections in the midst
// of frames.

import { createServer, connect as dial, type Server as NetServer, type Socket } from 'node:net'

/** Passes bytes both ways, as it is told to. */
export class CuttingProxy {
  cuts = 0
  /** Bytes that came through, both ways. */
  bytes = 0
  readonly #server: NetServer
  readonly #sockets = new Set<Socket>()
  readonly #held: (() => void)[] = []
  #holding = false

  /** `budget()`: bytes after which a connection is cut. */
  constructor(upstream: string, budget: () => number) {
    const [host, port] = upstream.split(':') as [string, string]
    this.#server = createServer((near) => {
      const far = dial(Number(port), host)
      let left = budget()
      const end = (): void => {
        near.destroy()
        far.destroy()
      }
      const pass = (to: Socket, bytes: Buffer): void => {
        const part = bytes.subarray(0, Math.min(bytes.length, left))
        left -= part.length
        this.bytes += part.length
        if (!to.destroyed) to.write(part)
        if (left > 0) return
        this.cuts++
        // What was written may still go out, or not.
        if (this.cuts % 2 === 0) to.end()
        setTimeout(end, this.cuts % 4)
      }
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from)
        from.setNoDelay(true)
        from.on('error', end)
        from.on('close', () => {
          this.#sockets.delete(from)
          end()
        })
        from.on('data', (bytes: Buffer) => {
          if (this.#holding) this.#held.push(() => pass(to, bytes))
          else pass(to, bytes)
        })
      }
    })
  }

  listen(): Promise<this> {
    return new Promise((done) => {
      this.#server.listen(0, '127.0.0.1', () => done(this))
    })
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as { port: number }).port}`
  }

  /** Bytes go nowhere from now on, as behind a network that drops them. */
  hold(): void {
    this.#holding = true
  }

  /** Those that were held go out, and all that follow. */
  release(): void {
    this.#holding = false
    for (const pass of this.#held.splice(0)) pass()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return new Promise((done) => {
      for (const socket of this.#sockets) socket.destroy()
      this.#server.close(() => done())
    })
  }
}
