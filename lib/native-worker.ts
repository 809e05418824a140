/** What the addon gives for a worker of a training job; beside addon.ts. */
import type { GroupClock } from './worker.ts'

/** `mode` is a ClockMode. */
export interface NativeWorkerOptions {
  group: string
  index: number
  of: number
  mode: number
  staleness: number
  leaseMs: number
}

export interface NativeWorker {
  /** Rejects with ERR_BUSY when it still waits after so many ms. */
  tick(waitMs: number): Promise<void>
  /** Waits for no tick. */
  clock(): Promise<GroupClock>
  /** Waits for a tick under way. */
  leave(): Promise<void>
}
