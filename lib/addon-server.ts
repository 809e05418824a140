/** What the addon offers for servers, as TypeScript sees it. */
import type { NativeConnectOptions, NativeTls } from './addon.ts'
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
  /** Of each of the 16,384 slots the position of its server. */
  slots: Uint16Array
}

/** What was brought to another server. */
export interface NativeMoved {
  rows: number
  bytes: number
}

/** The steps of native/include/hotrow/slot_mover.h; one at a time. */
export interface NativeMover {
  /** Must be called first and once. */
  connect(): Promise<void>
  held(server: string): Promise<NativeMoved>
  pauseVersions(): Promise<void>
  resumeVersions(): Promise<void>
  copy(from: string, to: string, slots: string): Promise<NativeMoved>
  freeze(): Promise<NativeMoved>
  thaw(): Promise<void>
  tell(placement: string): Promise<void>
  close(): Promise<void>
}

export type NativeMoverClass = new (options: NativeConnectOptions, lock: number) => NativeMover

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
  /** The lock of the mover that has frozen slots; 0: none are. */
  frozenBy(): number
  thaw(lock: number): Promise<void>
  stop(): Promise<void>
}
