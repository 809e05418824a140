/** What a store and its tables say of themselves: names, counts, memory, times. */

/** What a store holds under one name. */
export interface ParameterInfo {
  name: string
  kind: 'table' | 'dense'
  /** `[dim]` of a table, the shape of a dense parameter. */
  shape: number[]
  /** Rows of a table; 0 for a dense parameter. */
  rows: number
}

/**
 * Times of one operation, of all its calls since the store was opened; calls of fewer than 64 keys
 * are sampled. All are 0 when there was none.
 */
export interface LatencySummary {
  /** Calls, where sampled estimated. */
  count: number
  meanNs: number
  /** Percentiles within 3.125 %. */
  p50Ns: number
  p90Ns: number
  p99Ns: number
  p999Ns: number
  maxNs: number
}

/** How many rows of a table differ between two versions. */
export interface TableDiff {
  name: string
  added: number
  removed: number
  changed: number
}

/** A table's rows on the device; counted since the table was opened. */
export interface GpuTableStats {
  name: string
  /** Why it has none there; empty: it may have. */
  reason: string
  /** Rows there is room for. */
  capacity: number
  rows: number
  /** Of these, rows that are newer than in memory. */
  dirtyRows: number
  /** At most so many of these are held by `table.prefetch`. */
  heldRows: number
  /** Device memory. */
  usedBytes: number
  /** Keys asked for there, and how many were there. */
  lookups: number
  hits: number
  /** Rows that came. */
  inserted: number
  /** Rows that went for others. */
  evicted: number
  /** Rows that found no room. */
  refused: number
  /** With `gpu.fillAbove`: keys answered with the default row, whatever memory has. */
  defaulted: number
  /** Of these, those whose rows are on their way. */
  fillsWaiting: number
  /** And those whose rows are not: too many were waiting. Asked for again, they come. */
  fillsDropped: number
}

/** Figures of a store's GPU. */
export interface GpuStats {
  available: boolean
  /** Why not; empty where it is available. */
  reason: string
  /** The device's name; this and what follows only where it is available. */
  device: string
  /** `'9.0'` */
  computeCapability: string
  /** The CUDA version that the driver can do: `'13.0'`. */
  driver: string
  /** Of the device. */
  memoryBytes: number
  /** Of the device, by this store. */
  usedBytes: number
  tables: GpuTableStats[]
}

/** Figures of a store. */
export interface StoreStats {
  /** The ceiling, in bytes. */
  memoryBytes: number
  /** Memory held, the sum of the five that follow. */
  memoryUsedBytes: number
  /** Rows of tables, free ones included. */
  rowMemoryBytes: number
  indexMemoryBytes: number
  /** Filters of `admission.kind: 'bloom'`. */
  filterMemoryBytes: number
  /** Counts of `hotKeys`. */
  hotKeysMemoryBytes: number
  /** Dense parameters with their optimizer state. */
  denseMemoryBytes: number
  tables: number
  dense: number
  /** Rows of all tables. */
  rows: number
  /** Threads that one large call may use. */
  threads: number
  /**
   * Times in the core, without the way from and to JavaScript, over all tables. A call over several
   * tables is one lookup a table, and one push.
   */
  latency: Record<'lookup' | 'lookupPooled' | 'push' | 'update' | 'erase', LatencySummary>
  /** Of the GPU; null: `open` was not asked for one. */
  gpu: GpuStats | null
  /** Of a store of `connect`; null: the store is this process's. */
  remote: RemoteStats | null
}

/**
 * A key and how often it was used, estimated from one key in 64: of these, it came at least
 * `count - error` and at most `count` times.
 */
export interface HotKey {
  key: bigint
  count: number
  error: number
}

/** Figures of a table; what is counted, is counted since it was made. */
export interface TableStats {
  rows: number
  /** Of these, rows that are still on disk only: they come when asked for, and all in time. */
  coldRows: number
  /** Of `hits`, rows that were read from disk. */
  coldHits: number
  /** Of a table with `eviction.demote`: times that a row left memory for the disk. */
  demoted: number
  /** Times that lookups brought one back. */
  promoted: number
  /** Rows that are out of memory and in no version yet. */
  spilledRows: number
  /** Keys that were pushed and have no row yet (`admission.kind: 'count'`). */
  candidates: number
  /** Bytes of one row with its optimizer state and padding. */
  rowBytes: number
  /** Memory held for rows, free ones included. */
  rowMemoryBytes: number
  /** Memory held for the index. */
  indexMemoryBytes: number
  /** Memory held for the filter of `admission.kind: 'bloom'`. */
  filterMemoryBytes: number
  /** Memory held for the counts of `hotKeys`. */
  hotKeysMemoryBytes: number
  /** Bucket lines of 64 bytes. */
  buckets: number
  /** Keys a bucket holds: 5, or 4 where the eviction policy keeps something of each. */
  bucketKeys: number
  shards: number
  /** Keys per place of the buckets. */
  load: number
  /** Buckets on the way to a key, the mean and the most, in a sample of the shards. */
  meanProbe: number
  longestProbe: number
  /** Keys looked up, and how many of them had a row. */
  lookups: number
  hits: number
  /** Gradients pushed, duplicates counted. */
  pushes: number
  /** Rows assigned. */
  updates: number
  /** Pushes applied since the table began, Adam's t. */
  steps: number
  /** Rows made by pushes and updates. */
  created: number
  erased: number
  /** Rows left out because of NaN or infinity (`nonFinite: 'skip'`). */
  skippedGradients: number
  /** Keys of pushes that made no row because of `admission`. */
  notAdmitted: number
  /** Rows evicted because a push needed room. */
  evictedCapacity: number
  /** Rows evicted because they were unused for `ttlMs`. */
  evictedExpired: number
  /** Rows evicted by `evict`. */
  evictedDemand: number
  /** Rows evicted by `shrink`. */
  evictedShrink: number
  /** Times a shard was rebuilt larger. */
  grownShards: number
}

/** What `open` gave up for a version that is whole; see `recover` of its options. */
export interface Recovery {
  /** The newest version there was, which is damaged. */
  readonly from: number
  /** The version that was opened: the same where only the store's own database was damaged. */
  readonly to: number
  /** What was found to be damaged first. */
  readonly reason: string
}

/** What a server has done since it started, as it says to clients. */
export interface ServerFigures {
  /** Open now. */
  readonly connections: number
  /** Of these, over shared memory or RDMA. */
  readonly fabric: number
  /** Known now, with and without a connection. */
  readonly sessions: number
  /** Requests answered. */
  readonly requests: number
  /** Of these, with an error. */
  readonly failures: number
  /** Changes that came a second time, and were not applied again. */
  readonly repeated: number
  /**
   * Connections ended because what they sent was no frame, or came late, and messages over shared
   * memory or RDMA without a ticket or with a used one.
   */
  readonly refused: number
  /** How long requests took, by the verb of the protocol, of those that have come. */
  readonly latency: Readonly<Record<string, RequestLatency>>
  /** Of those that name one table or dense parameter alone. */
  readonly tableLatency: readonly (TableAndVerb & RequestLatency)[]
}

/** What a server has done since it started. */
export interface ServerStats extends ServerFigures {
  /** Groups of workers (`store.worker`), by name. */
  readonly groups: readonly GroupFigures[]
}

/** What the way to the servers costs a store of `connect`. */
export interface RemoteStats {
  /** Lookups sent to `followers` of `connect` too; of a large batch each request counts. */
  readonly hedged: number
  /** Of these, those that were answered there first. */
  readonly hedgesWon: number
  /** How long this store's requests took, by the verb of the protocol. */
  readonly latency: Readonly<Record<string, ClientLatency>>
  /** Of those that name one table or dense parameter alone. */
  readonly tableLatency: readonly (TableAndVerb & ClientLatency)[]
  /**
   * What each server, by its `HOST:PORT`, has done for all of its clients; of tables those that
   * this client may use. All is 0 of a server of before there were such figures.
   */
  readonly servers: readonly (ServerFigures & { readonly server: string })[]
}

/** Where one worker of a training job is. */
export interface WorkerFigures {
  readonly index: number
  /** Steps that it has ended. */
  readonly clock: number
  /** It has come, has not left, and its lease has not run out. */
  readonly alive: boolean
  /** For how long it has been behind the foremost worker; 0: it is not. */
  readonly behindMs: number
}

/** A group of workers, as one server knows it. */
export interface GroupFigures {
  readonly group: string
  readonly mode: 'async' | 'bounded' | 'bulk'
  readonly staleness: number
  /**
   * The server keeps the group's clock. The other servers of a job only hold gradients of `'bulk'`:
   * there clocks are steps that were applied, and `alive` is who has joined.
   */
  readonly leads: boolean
  /** The least clock of those that are waited for. */
  readonly slowest: number
  /** Workers whose lease has run out. */
  readonly dropped: number
  /** Bytes of gradients that wait for the end of their step. */
  readonly heldBytes: number
  /** All `of`, those too that have not come yet. */
  readonly workers: readonly WorkerFigures[]
}

/** Among 256 pairs of these at most, those that came first. */
export interface TableAndVerb {
  readonly table: string
  readonly verb: string
}

/**
 * How long a server took for requests of one verb, by stage. Each is timed but those that are
 * refused before anything is done for them.
 */
export interface RequestLatency {
  /**
   * From when a request was read until somebody had time for it; CALL, SCAN and EVICTED wait for
   * another thread, and are decoded meanwhile.
   */
  readonly queue: LatencySummary
  /** Until its checksum, its sections and what its client may do were looked at. */
  readonly decode: LatencySummary
  /** In the store; of CALL, SCAN and EVICTED with making the reply. */
  readonly work: LatencySummary
  /** Making the reply's checksum. */
  readonly encode: LatencySummary
  /** Until all of the reply was with the system, or UCX. */
  readonly send: LatencySummary
}

/** How long requests of one verb took for a client, by stage; each that was answered is timed. */
export interface ClientLatency {
  /** Making the request, after waiting for others who send. */
  readonly encode: LatencySummary
  /** Until all of it was with the system, or UCX. */
  readonly send: LatencySummary
  /** Until the head of its reply was there. */
  readonly wait: LatencySummary
  /** Until the reply was where it is wanted, and checked. */
  readonly decode: LatencySummary
}
