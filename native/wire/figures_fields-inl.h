// The fields of figures and versions, by the names that TypeScript has for them, as the wire writes
// them. See base/json-inl.h. A store's GPU is not among them: it is its server's; nor is what a
// client knows of its own way there.
#ifndef HOTROW_WIRE_FIGURES_FIELDS_INL_H_
#define HOTROW_WIRE_FIGURES_FIELDS_INL_H_

#include <type_traits>

#include "hotrow/stats.h"
#include "hotrow/store.h"

namespace hotrow {

constexpr ParameterKind last_value(ParameterKind) { return ParameterKind::kDense; }

template <class Archive, class T>
void fields(Archive& a, T& v)
  requires std::is_same_v<std::remove_const_t<T>, LatencySummary>
{
  a("count", v.count);
  a("meanNs", v.mean_ns);
  a("p50Ns", v.p50_ns);
  a("p90Ns", v.p90_ns);
  a("p99Ns", v.p99_ns);
  a("p999Ns", v.p999_ns);
  a("maxNs", v.max_ns);
}

template <class Archive, class T>
void fields(Archive& a, T& v)
  requires std::is_same_v<std::remove_const_t<T>, HotKey>
{
  a("key", v.key);
  a("count", v.count);
  a("error", v.error);
}

template <class Archive, class T>
void fields(Archive& a, T& v)
  requires std::is_same_v<std::remove_const_t<T>, TableStats>
{
  a("rows", v.rows);
  a("coldRows", v.cold_rows);
  a("candidates", v.candidates);
  a("rowBytes", v.row_bytes);
  a("rowMemoryBytes", v.row_memory_bytes);
  a("indexMemoryBytes", v.index_memory_bytes);
  a("filterMemoryBytes", v.filter_memory_bytes);
  a("hotKeysMemoryBytes", v.hot_keys_memory_bytes);
  a("buckets", v.buckets);
  a("bucketKeys", v.bucket_keys);
  a("shards", v.shards);
  a("load", v.load);
  a("meanProbe", v.mean_probe);
  a("longestProbe", v.longest_probe);
  a("lookups", v.lookups);
  a("hits", v.hits);
  a("pushes", v.pushes);
  a("updates", v.updates);
  a("steps", v.steps);
  a("created", v.created);
  a("erased", v.erased);
  a("skippedGradients", v.skipped_gradients);
  a("notAdmitted", v.not_admitted);
  a("evictedCapacity", v.evicted_capacity);
  a("evictedExpired", v.evicted_expired);
  a("evictedDemand", v.evicted_demand);
  a("evictedShrink", v.evicted_shrink);
  a("coldHits", v.cold_hits);
  a("demoted", v.demoted);
  a("promoted", v.promoted);
  a("spilledRows", v.spilled_rows);
  a("grownShards", v.grown_shards);
}

template <class Archive, class T>
void fields(Archive& a, T& v)
  requires std::is_same_v<std::remove_const_t<T>, StoreLatency>
{
  a("lookup", v.lookup);
  a("lookupPooled", v.lookup_pooled);
  a("push", v.push);
  a("update", v.update);
  a("erase", v.erase);
}

template <class Archive, class T>
void fields(Archive& a, T& v)
  requires std::is_same_v<std::remove_const_t<T>, StageTime>
{
  a("stage", v.stage);
  a("time", v.time);
}

template <class Archive, class T>
void fields(Archive& a, T& v)
  requires std::is_same_v<std::remove_const_t<T>, RequestTimes>
{
  a("verb", v.verb);
  a("table", v.table);
  a("stages", v.stages);
}

template <class Archive, class T>
void fields(Archive& a, T& v)
  requires std::is_same_v<std::remove_const_t<T>, ServerFigures>
{
  a("connections", v.connections);
  a("fabric", v.fabric);
  a("sessions", v.sessions);
  a("requests", v.requests);
  a("failures", v.failures);
  a("repeated", v.repeated);
  a("refused", v.refused);
  a("latency", v.latency);
}

template <class Archive, class T>
void fields(Archive& a, T& v)
  requires std::is_same_v<std::remove_const_t<T>, StoreStats>
{
  a("memoryBytes", v.memory_bytes);
  a("memoryUsedBytes", v.memory_used_bytes);
  a("rowMemoryBytes", v.row_memory_bytes);
  a("indexMemoryBytes", v.index_memory_bytes);
  a("filterMemoryBytes", v.filter_memory_bytes);
  a("hotKeysMemoryBytes", v.hot_keys_memory_bytes);
  a("denseMemoryBytes", v.dense_memory_bytes);
  a("tables", v.tables);
  a("dense", v.dense);
  a("rows", v.rows);
  a("threads", v.threads);
  a("latency", v.latency);
}

template <class Archive, class T>
void fields(Archive& a, T& v)
  requires std::is_same_v<std::remove_const_t<T>, ShrinkOptions>
{
  a("unseenMs", v.unseen_ms);
  a("belowUses", v.below_uses);
  a("belowNorm", v.below_norm);
}

template <class Archive, class T>
void fields(Archive& a, T& v)
  requires std::is_same_v<std::remove_const_t<T>, VersionInfo>
{
  a("version", v.version);
  a("parent", v.parent);
  a("timeMs", v.time_ms);
  a("cursor", v.cursor);
  a("bytes", v.bytes);
  a("rows", v.rows);
  a("rolledBackTo", v.rolled_back_to);
  a("kept", v.kept);
  a("pinned", v.pinned);
  a("names", v.names);
  a("cluster", v.cluster.id);
  a("clusterBase", v.cluster.base);
  a("clusterEpoch", v.cluster.epoch);
}

template <class Archive, class T>
void fields(Archive& a, T& v)
  requires std::is_same_v<std::remove_const_t<T>, Recovery>
{
  a("from", v.from);
  a("to", v.to);
  a("reason", v.reason);
}

template <class Archive, class T>
void fields(Archive& a, T& v)
  requires std::is_same_v<std::remove_const_t<T>, TableDiff>
{
  a("name", v.name);
  a("added", v.added);
  a("removed", v.removed);
  a("changed", v.changed);
}

template <class Archive, class T>
void fields(Archive& a, T& v)
  requires std::is_same_v<std::remove_const_t<T>, ParameterInfo>
{
  a("name", v.name);
  a("kind", v.kind);
  a("shape", v.shape);
  a("rows", v.rows);
  if (v.chunk.used() || !std::is_const_v<T>) a.optional("chunk", v.chunk);
}

}  // namespace hotrow

#endif  // HOTROW_WIRE_FIGURES_FIELDS_INL_H_
