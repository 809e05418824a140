#include "store/manifest.h"

#include <exception>
#include <type_traits>

#include "base/json-inl.h"
#include "base/options_fields-inl.h"

namespace hotrow {

template <class Archive, class Stored>
void fields(Archive& a, Stored& s)
  requires std::is_same_v<std::remove_const_t<Stored>, StoredTable> ||
           std::is_same_v<std::remove_const_t<Stored>, StoredDense>
{
  a("id", s.id);
  a("name", s.name);
  a("options", s.options);
  a("steps", s.steps);
  if constexpr (requires { s.rows; }) a("rows", s.rows);
}

template <class Archive, class M>
void fields(Archive& a, M& m)
  requires std::is_same_v<std::remove_const_t<M>, Manifest>
{
  a("run", m.run);
  a("version", m.version);
  a("parent", m.parent);
  a("timeMs", m.time_ms);
  a("cursor", m.cursor);
  a("rolledBackTo", m.rolled_back_to);
  a.optional("cluster", m.cluster.id);
  a.optional("clusterBase", m.cluster.base);
  a.optional("clusterEpoch", m.cluster.epoch);
  a("nextTable", m.next_table);
  a("nextDense", m.next_dense);
  a("tables", m.tables);
  a("dense", m.dense);
}

namespace {

// Raised when an old reader could not read what a new writer wrote.
constexpr uint32_t kFormat = 1;

}  // namespace

uint64_t Manifest::rows() const {
  uint64_t sum = 0;
  for (const StoredTable& table : tables) sum += table.rows;
  return sum;
}

VersionInfo Manifest::info() const {
  return {.version = version,
          .parent = parent,
          .time_ms = time_ms,
          .cursor = cursor,
          .rows = rows(),
          .rolled_back_to = rolled_back_to,
          .cluster = cluster};
}

Delta Manifest::delta() const {
  return {.run = run, .version = version, .parent = parent, .manifest = to_text()};
}

void Manifest::adopt(const Manifest& made) {
  version = made.version;
  parent = made.parent;
  time_ms = made.time_ms;
  cursor = made.cursor;
  rolled_back_to = made.rolled_back_to;
  cluster = made.cluster;
  const auto take = [](auto& ours, const auto& theirs) {
    for (auto& each : ours) {
      for (const auto& other : theirs) {
        if (other.id == each.id) each = other;
      }
    }
  };
  take(tables, made.tables);
  take(dense, made.dense);
}

std::string Manifest::to_text() const {
  std::string text;
  json::Writer writer{text};
  writer("format", kFormat);
  fields(writer, *this);
  return text + '}';
}

namespace {

template <class Stored>
Status check_options(const Stored& stored, const char* word) {
  const Status valid = stored.options.validate();
  if (valid.ok()) return {};
  return {StatusCode::kCorruption,
          "the manifest: " + std::string(word) + " '" + stored.name + "': " + valid.message()};
}

}  // namespace

Result<Manifest> Manifest::parse(std::string_view text) {
  Manifest manifest;
  if (text.empty()) return manifest;
  try {
    const json::Json parsed = json::Json::parse(text);
    if (const auto format = parsed.at("format").get<uint32_t>(); format != kFormat) {
      return Status(StatusCode::kUnsupported,
                    "the store was written in format " + std::to_string(format) +
                        ", this program knows format " + std::to_string(kFormat));
    }
    json::read_json(parsed, manifest, false);
    for (const StoredTable& table : manifest.tables) {
      HOTROW_RETURN_IF_ERROR(check_options(table, "table"));
    }
    for (const StoredDense& dense : manifest.dense) {
      HOTROW_RETURN_IF_ERROR(check_options(dense, "dense parameter"));
    }
  } catch (const std::exception& error) {
    return Status(StatusCode::kCorruption, std::string("the manifest: ") + error.what());
  }
  return manifest;
}

}  // namespace hotrow
