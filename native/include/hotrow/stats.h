// Figures of tables and stores.
#ifndef HOTROW_STATS_H_
#define HOTROW_STATS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hotrow {

/// Times of one operation in six numbers, of all its calls since the store was opened; calls of
/// few keys are sampled. All are 0 when there was none.
struct LatencySummary {
  uint64_t count = 0;   ///< calls, where sampled estimated
  double mean_ns = 0;   ///< exact, of times cut off at 100 s
  uint64_t p50_ns = 0;  ///< percentiles by nearest rank, within 3.125 %
  uint64_t p90_ns = 0;
  uint64_t p99_ns = 0;
  uint64_t p999_ns = 0;
  uint64_t max_ns = 0;  ///< exact, cut off at 100 s
};

/// A key and how often it came, estimated from the sampled share of all keys: of the sample, it
/// came at least count - error and at most count times.
struct HotKey {
  uint64_t key = 0;
  uint64_t count = 0;
  uint64_t error = 0;
};

struct TableStats {
  uint64_t rows = 0;
  uint64_t cold_rows = 0;           ///< of rows, those still on disk only; they come when asked for
  uint64_t candidates = 0;          ///< keys seen that have no row yet (AdmissionKind::kCount)
  uint64_t row_bytes = 0;           ///< bytes of one row with its optimizer state and padding
  uint64_t row_memory_bytes = 0;    ///< memory held for rows, free ones included
  uint64_t index_memory_bytes = 0;  ///< memory held for buckets
  uint64_t filter_memory_bytes = 0;    ///< memory held for AdmissionKind::kBloom
  uint64_t hot_keys_memory_bytes = 0;  ///< memory held for TableOptions::hot_keys
  uint64_t buckets = 0;                ///< bucket lines of all shards
  uint64_t bucket_keys = 0;            ///< keys a bucket holds: 5, or 4 where the policy needs heat
  uint64_t shards = 0;
  double load = 0;             ///< keys per place of the buckets
  double mean_probe = 0;       ///< buckets on the way to a key, from a sample of the shards
  uint64_t longest_probe = 0;  ///< the most of them
  uint64_t lookups = 0;        ///< keys looked up
  uint64_t hits = 0;           ///< of them, keys that had a row
  uint64_t pushes = 0;         ///< gradients pushed, duplicates counted
  uint64_t updates = 0;        ///< rows assigned
  uint64_t steps = 0;          ///< pushes applied since the table began, Adam's t
  uint64_t created = 0;        ///< rows made by push or update
  uint64_t erased = 0;
  uint64_t skipped_gradients = 0;  ///< rows left out by NonFinite::kSkip
  uint64_t not_admitted = 0;       ///< keys of pushes that made no row by the table's admission
  uint64_t evicted_capacity = 0;   ///< rows evicted, by EvictionReason
  uint64_t evicted_expired = 0;
  uint64_t evicted_demand = 0;
  uint64_t evicted_shrink = 0;
  // Of a cold table: of hits, rows that were read where they lie. Of one that demotes: rows that
  // left memory, rows that lookups brought back, and rows out of memory that no version has yet.
  uint64_t cold_hits = 0;
  uint64_t demoted = 0;
  uint64_t promoted = 0;
  uint64_t spilled_rows = 0;
  uint64_t grown_shards = 0;  ///< times a shard was rebuilt larger
};

/// Times of a store's operations over all its tables, in the core: without waiting in a queue and
/// without the way to JavaScript. A call over several tables is one lookup a table, and one push.
struct StoreLatency {
  LatencySummary lookup;
  LatencySummary lookup_pooled;
  LatencySummary push;
  LatencySummary update;
  LatencySummary erase;
};

/// One table's rows on the device. All that is counted is counted since the table was opened.
struct GpuTableStats {
  std::string name;
  std::string reason;       ///< why it has none there; empty: it has
  uint64_t capacity = 0;    ///< rows
  uint64_t rows = 0;        ///<
  uint64_t dirty_rows = 0;  ///< of these, newer than in memory
  uint64_t held_rows = 0;   ///< at most so many of these are held by prefetch()
  uint64_t used_bytes = 0;  ///< of device memory
  uint64_t lookups = 0;     ///< keys asked for there
  uint64_t hits = 0;        ///< of these, found there
  uint64_t inserted = 0;    ///< rows that came
  uint64_t evicted = 0;     ///< rows that went for others
  uint64_t refused = 0;     ///< rows that found no room
  // With GpuOptions::fill_above.
  uint64_t defaulted = 0;      ///< keys answered with the default row, whatever memory has
  uint64_t fills_waiting = 0;  ///< of these, those whose rows are on their way
  uint64_t fills_dropped = 0;  ///< and those whose rows are not: too many were waiting
};

struct GpuStats {
  bool available = false;
  std::string reason;              ///< why not; empty where it is
  std::string device;              ///< its name
  std::string compute_capability;  ///< "9.0"
  std::string driver;              ///< the CUDA version it can do, "13.0"
  uint64_t memory_bytes = 0;       ///< of the device
  uint64_t used_bytes = 0;         ///< of it, by this store
  std::vector<GpuTableStats> tables;
};

/// How long one stage of requests took.
struct StageTime {
  std::string stage;
  LatencySummary time;
};

/// How long requests of one verb of the protocol took (docs/FORMATS.md), stage by stage. Requests
/// that are refused before anything is done for them are counted and not timed. Of a server:
/// - `queue`: from when it was read until somebody had time for it. CALL, SCAN and EVICTED wait for
///   another thread, and are decoded meanwhile.
/// - `decode`: until its checksum, sections and rights were looked at
/// - `work`: in the store; of CALL, SCAN and EVICTED with making the reply
/// - `encode`: making the reply's checksum
/// - `send`: until all of it was with the system, or UCX
///
/// Of a client: `encode`, with waiting for others who send, `send`, `wait` (until the reply's
/// header was there) and `decode` (until all of it was where the caller wants it, checked).
struct RequestTimes {
  std::string verb;
  /// Of requests that name this table or dense parameter alone, among 256 pairs of table and verb
  /// at most, the first that came; empty: of all requests.
  std::string table;
  std::vector<StageTime> stages;  ///< all, in the order of time
};

/// What a server has done since it started.
struct ServerFigures {
  std::string server;        ///< HOST:PORT; empty in its own figures
  uint64_t connections = 0;  ///< open now
  uint64_t fabric = 0;       ///< of these, over shared memory or RDMA
  uint64_t sessions = 0;     ///< known now
  uint64_t requests = 0;     ///< answered since the start
  uint64_t failures = 0;     ///< of these, with an error
  uint64_t repeated = 0;     ///< changes that came a second time, and were not applied again
  /// Connections ended because what they sent was no frame or no handshake, or was late, or because
  /// nobody knows who they are.
  uint64_t refused = 0;
  std::vector<RequestTimes> latency;  ///< of verbs that have come, then of tables
};

/// Of a store of other processes: what its way there costs.
struct RemoteStats {
  /// Lookups that this client has sent to followers too (ConnectOptions::followers), and those of
  /// them that were answered there first. A batch may be several.
  uint64_t hedged = 0;
  uint64_t hedges_won = 0;
  std::vector<RequestTimes> latency;  ///< of this client's requests, as ServerFigures has them
  /// Each of the servers; of tables that this client may not use nothing. A server of before there
  /// were such figures has none.
  std::vector<ServerFigures> servers;
};

struct StoreStats {
  uint64_t memory_bytes = 0;       ///< the ceiling
  uint64_t memory_used_bytes = 0;  ///< of it, all that follows
  uint64_t row_memory_bytes = 0;   ///< rows of tables, free ones included
  uint64_t index_memory_bytes = 0;
  uint64_t filter_memory_bytes = 0;    ///< AdmissionKind::kBloom
  uint64_t hot_keys_memory_bytes = 0;  ///< TableOptions::hot_keys
  uint64_t dense_memory_bytes = 0;     ///< dense parameters with their optimizer state
  uint64_t tables = 0;
  uint64_t dense = 0;
  uint64_t rows = 0;  ///< rows of all tables
  uint32_t threads = 0;
  StoreLatency latency;
  std::optional<GpuStats> gpu;        ///< none: not asked for
  std::optional<RemoteStats> remote;  ///< none: the store is this process's
};

}  // namespace hotrow

#endif  // HOTROW_STATS_H_
