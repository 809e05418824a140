/** What the addon offers for servers, as TypeScript sees it. */
import type { NativeTls } from './addon.ts'
import type { ServerStats } from './figures.ts'

export interface NativeServerOptions {
  listen: string
  threads: number
  spinUs: number
  mostConnections: number
  mostBodyBytes: number
  sessionMs: number
  mostHeldBytes: number
  placed: boolean
  tls: NativeTls
  transport: number
  /** '' for none. */
  trace: string
}

/** A slot map in JavaScript's terms. */
export interface NativePlacement {
  epoch: number
  /** HOST:PORT each. */
  servers: string[]
  /** Of each server. */
  slotCounts: number[]
}

export interface NativeServer {
  /** Must be called first and once; resolves with HOST:PORT as it is. */
  start(): Promise<string>
  stats(): ServerStats
  /** Rejects for a text that is no newer slot map; `self` is the server's name in it. */
  setPlacement(text: string, self: string): Promise<void>
  /** '' without one. */
  placement(): string
  /** An integer of milliseconds, from now on. */
  believePlacementFor(timeMs: number): void
  stop(): Promise<void>
}
