#include "wire/call.h"

#include "base/options_fields-inl.h"
#include "wire/figures_fields-inl.h"
#include "wire/text-inl.h"

namespace hotrow::wire {

template <class Archive, class T>
void fields(Archive& a, T& v)
  requires std::is_same_v<std::remove_const_t<T>, Hello>
{
  a("version", v.version);
  a("session", v.session);
  a("client", v.client);
  a("identity", v.identity);
  a("token", v.token);
  a("transport", v.transport);
}

template <class Archive, class T>
void fields(Archive& a, T& v)
  requires std::is_same_v<std::remove_const_t<T>, Welcome>
{
  a("session", v.session);
  a("resumed", v.resumed);
  a("run", v.run);
  a("path", v.path);
  a("storeVersion", v.store_version);
  a("mostBodyBytes", v.most_body_bytes);
  a("sessionMs", v.session_ms);
  a("inDoubt", v.in_doubt);
  a("epoch", v.epoch);
  a("features", v.features);
  a("ticket", v.ticket);
  a("fabric", v.fabric);
  a("noTransport", v.no_transport);
}

template <class Archive, class T>
void fields(Archive& a, T& v)
  requires std::is_same_v<std::remove_const_t<T>, Call>
{
  a("call", v.call);
  a("name", v.name);
  a("other", v.other);
  a("parameter", v.parameter);
  a("number", v.number);
  a("real", v.real);
  a("flag", v.flag);
  a("chunks", v.chunks);
  a("table", v.table);
  a("dense", v.dense);
  a("shrink", v.shrink);
}

template <class Archive, class T>
void fields(Archive& a, T& v)
  requires std::is_same_v<std::remove_const_t<T>, OpenedTable> ||
           std::is_same_v<std::remove_const_t<T>, OpenedDense>
{
  a("parameter", v.parameter);
  a("name", v.name);
  a("options", v.options);
  if constexpr (requires { v.size; }) a("size", v.size);
  a("stateValues", v.state_values);
}

std::string to_text(const Hello& value) { return written(value); }
std::string to_text(const Welcome& value) { return written(value); }
std::string to_text(const Call& value) { return written(value); }
std::string to_text(const OpenedTable& value) { return written(value); }
std::string to_text(const OpenedDense& value) { return written(value); }
std::string to_text(const VersionInfo& value) { return written(value); }
std::string to_text(const std::vector<VersionInfo>& value) { return written(value); }
std::string to_text(const Recovery& value) { return written(value); }
std::string to_text(const std::vector<TableDiff>& value) { return written(value); }
std::string to_text(const std::vector<ParameterInfo>& value) { return written(value); }
std::string to_text(const std::vector<HotKey>& value) { return written(value); }
std::string to_text(const TableStats& value) { return written(value); }
std::string to_text(const StoreStats& value) { return written(value); }
std::string to_text(const ServerFigures& value) { return written(value); }
std::string to_text(uint64_t value) { return written(value); }

template <class T>
Result<T> from_text(std::string_view text) {
  return parsed<T>(text);
}

template Result<Hello> from_text(std::string_view text);
template Result<Welcome> from_text(std::string_view text);
template Result<Call> from_text(std::string_view text);
template Result<OpenedTable> from_text(std::string_view text);
template Result<OpenedDense> from_text(std::string_view text);
template Result<VersionInfo> from_text(std::string_view text);
template Result<std::vector<VersionInfo>> from_text(std::string_view text);
template Result<Recovery> from_text(std::string_view text);
template Result<std::vector<TableDiff>> from_text(std::string_view text);
template Result<std::vector<ParameterInfo>> from_text(std::string_view text);
template Result<std::vector<HotKey>> from_text(std::string_view text);
template Result<TableStats> from_text(std::string_view text);
template Result<StoreStats> from_text(std::string_view text);
template Result<ServerFigures> from_text(std::string_view text);
template Result<uint64_t> from_text(std::string_view text);

}  // namespace hotrow::wire
