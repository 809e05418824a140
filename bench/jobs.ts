// What is measured: the jobs of a run, who does them, and what each operation is called.

import { type KeyChoice, type KeySets, keySets } from './workload.ts'

export const CONTENDERS = ['hotrow', 'map', 'lmdb', 'redis'] as const
export type ContenderName = (typeof CONTENDERS)[number]
export type PeerName = Exclude<ContenderName, 'hotrow'>
export const PEERS: readonly PeerName[] = ['map', 'lmdb', 'redis']

export type Work = 'lookup' | 'pooled' | 'push'

export interface Job {
  readonly work: Work
  readonly dim: number
  /** Keys a call; 0 measures the call alone. */
  readonly batch: number
  readonly keys: KeyChoice
  readonly contenders: readonly ContenderName[]
}

export const DIMS = [16, 32, 64, 128]
export const BATCHES = [1, 32, 1024, 4096, 65536]
const CHOICES: readonly KeyChoice[] = ['uniform', 'zipf']

/** The store's operations in each kind of work. Peers do each kind in one operation. */
export const OPERATIONS: Readonly<Record<Work, readonly string[]>> = {
  lookup: ['lookupSync', 'lookup'],
  pooled: ['lookupPooled'],
  push: ['push'],
}

/** The targets: at this job the store is to be so many times as fast as the peer. */
export const TARGET_NAME = 'lookupSync/dim64/batch1024/uniform'
export const TARGET_ROWS = 1_000_000
export const TARGETS: Readonly<Record<PeerName, number>> = { map: 12, lmdb: 30, redis: 45 }

/** The name of one of the store's operations in a job. */
export function nameOf(operation: string, { dim, batch, keys }: Job): string {
  if (batch === 0) return `callOverhead/${operation}`
  return `${operation}/dim${dim}/batch${batch}/${keys}`
}

/** The jobs of a run, by dim: loading a dim's rows is the slow part. */
export function jobs(full: boolean): Job[] {
  return full ? everything() : selection()
}

/** Only lookups have peers beyond Map: neither lmdb nor Redis adds up or learns. */
function rivals(work: Work): readonly ContenderName[] {
  return work === 'lookup' ? CONTENDERS : ['hotrow', 'map']
}

function overhead(): Job {
  return { work: 'lookup', dim: 64, batch: 0, keys: 'uniform', contenders: ['hotrow'] }
}

function everything(): Job[] {
  const works = Object.keys(OPERATIONS) as Work[]
  const all = DIMS.flatMap((dim) =>
    works.flatMap((work) =>
      BATCHES.flatMap((batch) =>
        CHOICES.map((keys): Job => ({ work, dim, batch, keys, contenders: rivals(work) })),
      ),
    ),
  )
  return [overhead(), ...all]
}

/**
 * Everything at dim 64 with uniform keys, Zipf keys at batch 1,024, and the other dims at
 * batch 1,024. Peers take part where their calls are short enough for a quick run.
 */
function selection(): Job[] {
  const at = (work: Work, dim: number, batch: number, keys: KeyChoice): Job => {
    const many = dim === 64 && batch <= 4096
    const few = work === 'lookup' ? (['hotrow', 'map'] as const) : (['hotrow'] as const)
    return { work, dim, batch, keys, contenders: many ? rivals(work) : few }
  }
  const works = Object.keys(OPERATIONS) as Work[]
  return [
    overhead(),
    ...works.flatMap((work) => [
      ...BATCHES.map((batch) => at(work, 64, batch, 'uniform')),
      at(work, 64, 1024, 'zipf'),
    ]),
    ...DIMS.filter((dim) => dim !== 64).map((dim) => at('lookup', dim, 1024, 'uniform')),
  ]
}

/** The key sets of a job. */
export function keysOf(job: Job, rows: number): KeySets {
  return keySets(job.batch, job.keys, rows)
}
