// Answers to the calls in text.
#include <array>
#include <string_view>
#include <utility>

#include "base/guarded.h"
#include "server/session.h"

namespace hotrow::server {

namespace {

using Text = Result<std::string>;

// The text of a result, or nothing of a status.
template <class T>
Text text_of(const Result<T>& result) {
  if (!result.ok()) return result.status();
  return wire::to_text(result.value());
}
Text text_of(const Status& status) {
  if (!status.ok()) return status;
  return std::string();
}

Text open_table(Hub& hub, const wire::Call& call) {
  if (call.flag) HOTROW_RETURN_IF_ERROR(call.table.validate());
  auto table = call.flag ? hub.store->table(call.name, call.table) : hub.store->table(call.name);
  if (!table.ok()) return table.status();
  auto number = hub.parameters.number_of(table.value());
  if (!number.ok()) return number.status();
  return wire::to_text(wire::OpenedTable{.parameter = number.value(),
                                         .name = table.value()->name(),
                                         .options = table.value()->options(),
                                         .state_values = table.value()->state_values()});
}

Text open_dense(Hub& hub, const wire::Call& call) {
  if (call.flag) HOTROW_RETURN_IF_ERROR(call.dense.validate());
  auto dense = call.flag ? hub.store->dense(call.name, call.dense) : hub.store->dense(call.name);
  if (!dense.ok()) return dense.status();
  auto number = hub.parameters.number_of(dense.value());
  if (!number.ok()) return number.status();
  return wire::to_text(wire::OpenedDense{.parameter = number.value(),
                                         .name = dense.value()->name(),
                                         .options = dense.value()->options(),
                                         .size = dense.value()->size(),
                                         .state_values = dense.value()->state_values()});
}

Text commit(Hub& hub, const wire::Call& call) {
  return text_of(
      hub.store->commit({.cursor = call.other, .name = call.name, .keep_cursor = call.flag}));
}

Text prepare(Hub& hub, const wire::Call& call) {
  return text_of(hub.cluster_versions.prepare(
      *hub.store, call.name, {.cursor = call.other, .keep_cursor = call.flag}, call.number));
}

Text resolve(Hub& hub, const wire::Call& call) {
  const auto decided = hub.cluster_versions.resolve(*hub.store, call.name);
  if (!decided.ok()) return decided.status();
  return wire::to_text(uint64_t{decided.value()});
}

// Of a table by its number.
template <class Work>
Text of_table(Hub& hub, const wire::Call& call, const Work& work) {
  auto table = hub.parameters.table(call.parameter);
  if (!table.ok()) return table.status();
  return text_of(work(*table.value()));
}

struct Entry {
  std::string_view name;
  Worker Hub::* worker;
  Text (*work)(Hub& hub, const wire::Call& call);
};

constexpr std::array kCalls{
    Entry{"table", &Hub::opening, open_table},
    Entry{"dense", &Hub::opening, open_dense},
    Entry{"list", &Hub::others,
          [](Hub& hub, const wire::Call&) { return text_of(hub.store->list()); }},
    Entry{"drop", &Hub::files,
          [](Hub& hub, const wire::Call& call) { return text_of(hub.store->drop(call.name)); }},
    Entry{"commit", &Hub::files, commit},
    Entry{"version", &Hub::others,
          [](Hub& hub, const wire::Call&) { return text_of(hub.store->version()); }},
    Entry{"versions", &Hub::others,
          [](Hub& hub, const wire::Call&) { return text_of(hub.store->versions()); }},
    Entry{"rollback", &Hub::files,
          [](Hub& hub, const wire::Call& call) { return text_of(hub.store->rollback(call.name)); }},
    Entry{"prepare", &Hub::files, prepare},
    Entry{"decide", &Hub::files,
          [](Hub& hub, const wire::Call& call) {
            return text_of(hub.cluster_versions.decide(*hub.store, call.name));
          }},
    Entry{"resolve", &Hub::files, resolve},
    Entry{"settle", &Hub::files,
          [](Hub& hub, const wire::Call& call) {
            return text_of(hub.cluster_versions.settle(*hub.store, call.name, call.flag));
          }},
    Entry{"nameVersion", &Hub::files,
          [](Hub& hub, const wire::Call& call) {
            return text_of(hub.store->name_version(call.name, call.number));
          }},
    Entry{"pinVersion", &Hub::files,
          [](Hub& hub, const wire::Call& call) {
            return text_of(hub.store->pin_version(call.number, call.flag));
          }},
    Entry{"refresh", &Hub::files,
          [](Hub& hub, const wire::Call&) { return text_of(hub.store->refresh()); }},
    Entry{"diff", &Hub::files,
          [](Hub& hub, const wire::Call& call) {
            return text_of(hub.store->diff(call.name, call.other));
          }},
    Entry{"verify", &Hub::files,
          [](Hub& hub, const wire::Call&) { return text_of(hub.store->verify()); }},
    Entry{"compact", &Hub::files,
          [](Hub& hub, const wire::Call&) { return text_of(hub.store->compact()); }},
    Entry{"stats", &Hub::others,
          [](Hub& hub, const wire::Call&) { return text_of(hub.store->stats()); }},
    Entry{"tableStats", &Hub::others,
          [](Hub& hub, const wire::Call& call) {
            return of_table(hub, call, [](Table& table) { return table.stats(); });
          }},
    Entry{"reserve", &Hub::others,
          [](Hub& hub, const wire::Call& call) {
            return of_table(hub, call, [&](Table& table) { return table.reserve(call.number); });
          }},
    Entry{"evict", &Hub::others,
          [](Hub& hub, const wire::Call& call) {
            return of_table(hub, call, [&](Table& table) { return table.evict(call.number); });
          }},
    Entry{"shrink", &Hub::others,
          [](Hub& hub, const wire::Call& call) {
            return of_table(hub, call, [&](Table& table) { return table.shrink(call.shrink); });
          }},
    Entry{"decay", &Hub::others,
          [](Hub& hub, const wire::Call& call) {
            return of_table(hub, call, [&](Table& table) { return table.decay(call.real); });
          }},
    Entry{"hotKeys", &Hub::others,
          [](Hub& hub, const wire::Call& call) {
            return of_table(hub, call, [&](Table& table) { return table.hot_keys(call.number); });
          }},
};

const Entry* find(std::string_view name) {
  for (const Entry& entry : kCalls) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

}  // namespace

Worker& worker_of(Hub& hub, const wire::Call& call) {
  const Entry* entry = find(call.call);
  return entry == nullptr ? hub.others : hub.*entry->worker;
}

AlignedBuffer answer_call(Hub& hub, const wire::FrameHeader& request, const wire::Call& call) {
  auto text = guarded([&]() -> Text {
    const Entry* entry = find(call.call);
    if (entry == nullptr) {
      return Status(StatusCode::kUnsupported, "the server knows no call '" + call.call + "'");
    }
    return entry->work(hub, call);
  });
  if (text.ok()) return wire::text_frame(reply_to(request, {}), text.value());
  ++hub.failures;
  return failure(request, text.status());
}

}  // namespace hotrow::server
