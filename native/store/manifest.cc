#include "store/manifest.h"

#include <exception>
#include <nlohmann/json.hpp>
#include <type_traits>

namespace hotrow {

namespace {

using Json = nlohmann::json;

// Raised when an old reader could not read what a new writer wrote.
constexpr uint32_t kFormat = 1;

// Each struct's fields stand once, in fields(): a Writer puts them into JSON, a Reader takes them
// out. The Writer appends text, because the library's objects and arrays need memory to be
// destroyed, and end the process when there is none.
struct Writer {
  std::string& text;
  char before = '{';  // the next field
  template <class T>
  void operator()(const char* name, const T& value);
};

struct Reader {
  const Json& json;
  template <class T>
  void operator()(const char* name, T& value) const;
};

template <class Archive, class Options>
void fields(Archive& a, Options& o)
  requires std::is_same_v<std::remove_const_t<Options>, OptimizerOptions>
{
  a("kind", o.kind);
  a("learningRate", o.learning_rate);
  a("initialAccumulator", o.initial_accumulator);
  a("epsilon", o.epsilon);
  a("beta1", o.beta1);
  a("beta2", o.beta2);
  a("beta", o.beta);
  a("l1", o.l1);
  a("l2", o.l2);
  a("l21", o.l21);
  a("momentum", o.momentum);
  a("rho", o.rho);
  a("decayRate", o.decay_rate);
  a("decaySteps", o.decay_steps);
  a("trust", o.trust);
  a("weightDecay", o.weight_decay);
  a("clipValue", o.clip_value);
  a("clipNorm", o.clip_norm);
}

template <class Archive, class Options>
void fields(Archive& a, Options& o)
  requires std::is_same_v<std::remove_const_t<Options>, OptimizerGroup>
{
  a("firstSlot", o.first_slot);
  a("lastSlot", o.last_slot);
  a("rateScale", o.rate_scale);
  a("weightDecay", o.weight_decay);
  a("frozen", o.frozen);
}

template <class Archive, class Options>
void fields(Archive& a, Options& o)
  requires std::is_same_v<std::remove_const_t<Options>, InitializerOptions>
{
  a("kind", o.kind);
  a("value", o.value);
  a("low", o.low);
  a("high", o.high);
  a("mean", o.mean);
  a("stddev", o.stddev);
}

template <class Archive, class Options>
void fields(Archive& a, Options& o)
  requires std::is_same_v<std::remove_const_t<Options>, AdmissionOptions>
{
  a("kind", o.kind);
  a("minCount", o.min_count);
  a("probability", o.probability);
  a("capacity", o.capacity);
}

template <class Archive, class Options>
void fields(Archive& a, Options& o)
  requires std::is_same_v<std::remove_const_t<Options>, EvictionOptions>
{
  a("policy", o.policy);
  a("maxRows", o.max_rows);
  a("maxBytes", o.max_bytes);
  a("ttlMs", o.ttl_ms);
  a("halfLife", o.half_life);
  a("demote", o.demote);
  a("background", o.background);
  a("log", o.log);
}

template <class Archive, class Options>
void fields(Archive& a, Options& o)
  requires std::is_same_v<std::remove_const_t<Options>, TableOptions>
{
  a("dim", o.dim);
  a("valueType", o.value_type);
  a("rounding", o.rounding);
  a("optimizer", o.optimizer);
  a("initializer", o.initializer);
  a("missing", o.missing);
  a("nonFinite", o.non_finite);
  a("admission", o.admission);
  a("eviction", o.eviction);
  a("hotKeys", o.hot_keys);
  a("seed", o.seed);
  a("groups", o.groups);
}

template <class Archive, class Options>
void fields(Archive& a, Options& o)
  requires std::is_same_v<std::remove_const_t<Options>, DenseOptions>
{
  a("shape", o.shape);
  a("optimizer", o.optimizer);
  a("initializer", o.initializer);
  a("nonFinite", o.non_finite);
  a("seed", o.seed);
}

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
  a("nextTable", m.next_table);
  a("nextDense", m.next_dense);
  a("tables", m.tables);
  a("dense", m.dense);
}

template <class T>
concept Described = requires(Writer& writer, const T& value) { fields(writer, value); };

template <class T>
void append(std::string& text, const T& value) {
  if constexpr (std::is_enum_v<T>) {
    text += std::to_string(static_cast<unsigned>(value));
  } else if constexpr (Described<T>) {
    Writer writer{text};
    fields(writer, value);
    text += '}';
  } else {
    // A name or cursor that is no UTF-8 is kept as near as JSON allows.
    text += Json(value).dump(-1, ' ', false, Json::error_handler_t::replace);
  }
}

template <class T>
void append(std::string& text, const std::vector<T>& values) {
  text += '[';
  for (const T& value : values) {
    if (&value != values.data()) text += ',';
    append(text, value);
  }
  text += ']';
}

template <class T>
void from_json(const Json& json, T& value) {
  if constexpr (std::is_enum_v<T>) {
    value = static_cast<T>(json.get<std::underlying_type_t<T>>());
  } else if constexpr (Described<T>) {
    Reader reader{json};
    fields(reader, value);
  } else {
    json.get_to(value);
  }
}

template <class T>
void from_json(const Json& json, std::vector<T>& values) {
  values.clear();
  for (const Json& each : json.get_ref<const Json::array_t&>()) {
    from_json(each, values.emplace_back());
  }
}

template <class T>
void Writer::operator()(const char* name, const T& value) {
  text += before;
  before = ',';
  text += '"';
  text += name;
  text += "\":";
  append(text, value);
}

template <class T>
void Reader::operator()(const char* name, T& value) const {
  from_json(json.at(name), value);
}

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
          .rolled_back_to = rolled_back_to};
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
  Writer writer{text};
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
    const Json json = Json::parse(text);
    if (const auto format = json.at("format").get<uint32_t>(); format != kFormat) {
      return Status(StatusCode::kUnsupported,
                    "the store was written in format " + std::to_string(format) +
                        ", this program knows format " + std::to_string(kFormat));
    }
    from_json(json, manifest);
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
