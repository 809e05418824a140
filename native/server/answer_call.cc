// Answers to the calls in text.
#include <array>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/dense_chunks.h"
#include "base/guarded.h"
#include "base/hash.h"
#include "server/moving.h"
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

// Who may not make one opens what is there, by its name or, as most programs do, by its options
// too.
template <class Parameter, class Options>
Result<Parameter> only_open(Result<Parameter> existing, const wire::Call& call, Options options,
                            const Status& denied) {
  if (existing.status().code() == StatusCode::kNotFound && call.flag) return denied;
  if (!existing.ok() || !call.flag) return existing;
  const Options& its = existing.value()->options();
  // 0 is that of the name, as it is for whoever makes it.
  if (options.seed == 0) options.seed = seed_of_name(call.name);
  if (its == options) return existing;
  return Status::conflict("'" + call.name + "' exists with other options");
}

Text open_table(Hub& hub, const Grant& grant, const wire::Call& call) {
  HOTROW_RETURN_IF_ERROR(grant.permits_table(call.name));
  if (call.flag) HOTROW_RETURN_IF_ERROR(call.table.validate());
  const Status makes = grant.permits(Role::kTrainer, "to make a table");
  auto table = makes.ok() && call.flag
                   ? hub.store->table(call.name, call.table)
                   : only_open(hub.store->table(call.name), call, call.table, makes);
  if (!table.ok()) return table.status();
  auto number = hub.parameters.number_of(table.value());
  if (!number.ok()) return number.status();
  return wire::to_text(wire::OpenedTable{.parameter = number.value(),
                                         .name = table.value()->name(),
                                         .options = table.value()->options(),
                                         .state_values = table.value()->state_values()});
}

// The parameter that a call of `dense` is about, by the name that grants have.
std::string_view known_as(const wire::Call& call) {
  return call.chunks && (call.dense.chunk.used() || !call.flag) ? whole_name(call.name)
                                                                : std::string_view(call.name);
}

// What is there as it is: a parameter that is cut stays cut as it was, whatever cut is asked for
// now, and one that is whole stays whole. Empty: there is nothing.
Result<std::shared_ptr<Dense>> existing_dense(Hub& hub, const Grant& grant, const wire::Call& call,
                                              DenseOptions options) {
  auto dense = hub.store->dense(call.name);
  if (!dense.ok()) {
    if (dense.status().code() == StatusCode::kNotFound) return std::shared_ptr<Dense>();
    return dense;
  }
  const DenseOptions& its = dense.value()->options();
  if (its.chunk.used() && !call.chunks) {
    return Status(StatusCode::kUnsupported,
                  "dense '" + call.name + "' is cut into " + std::to_string(its.chunk.count) +
                      " chunks, and the client is of a time before there were any");
  }
  if (!call.flag) return dense;
  const std::string whole(known_as(call));
  // 0 is that of the name, as it is for whoever makes it.
  if (options.seed == 0) options.seed = seed_of_name(whole);
  const bool first = !options.chunk.used() || options.chunk.index == 0;
  const bool same =
      first ? its.chunk.index == 0 && whole_options(its) == whole_options(options) : its == options;
  if (same) return dense;
  const bool trains = grant.permits(Role::kTrainer, "to make a dense parameter").ok();
  // Says which option it is.
  if (trains && !its.chunk.used()) return hub.store->dense(call.name, whole_options(options));
  return Status::conflict("'" + whole + "' exists with other options");
}

Result<std::shared_ptr<Dense>> open_or_make_dense(Hub& hub, const Grant& grant,
                                                  const wire::Call& call) {
  auto existing = existing_dense(hub, grant, call, call.dense);
  if (!existing.ok() || existing.value() != nullptr) return existing;
  if (!call.flag) return Status::not_found("nothing is called '" + call.name + "'");
  HOTROW_RETURN_IF_ERROR(grant.permits(Role::kTrainer, "to make a dense parameter"));
  return hub.store->dense(call.name, call.dense);
}

Text open_dense(Hub& hub, const Grant& grant, const wire::Call& call) {
  const std::string_view whole = known_as(call);
  HOTROW_RETURN_IF_ERROR(grant.permits_table(whole));
  if (call.flag) HOTROW_RETURN_IF_ERROR(call.dense.validate());
  if (call.flag && call.name != chunk_name(whole, call.dense.chunk.index)) {
    return Status::invalid_argument("name: expected that of chunk " +
                                    std::to_string(call.dense.chunk.index));
  }
  const DenseChunk& made = call.dense.chunk;
  if (call.flag && made.used() && made.index == 0 && made.slot != slot_of_name(whole)) {
    return Status::invalid_argument("chunk: expected chunk 0 in the slot of the name");
  }
  if (call.flag && made.used() && call.dense.seed == 0) {
    return Status::invalid_argument("seed: expected that of the whole with a chunk, received 0");
  }
  const auto check_slot = [&](uint32_t slot) {
    return hub.ownership.hold([&](const Owned& owned) -> Status {
      // By the mover before it is this server's.
      if (owned.expected.slots[slot] && grant.permits(Role::kAdmin, call.call).ok()) return {};
      // It may be made by that, which a mover would not see.
      return owned.check_slot(slot, call.flag ? Use::kChanges : Use::kReads);
    });
  };
  // Of a chunk that is opened by its name alone the store says which slot it has.
  const bool by_chunk_name = !call.flag && whole != call.name;
  const DenseChunk asked = call.flag ? call.dense.chunk : DenseChunk();
  if (!by_chunk_name) HOTROW_RETURN_IF_ERROR(check_slot(slot_of_dense(call.name, asked)));
  auto dense = open_or_make_dense(hub, grant, call);
  if (!dense.ok()) return dense.status();
  const DenseOptions& its = dense.value()->options();
  if (by_chunk_name) {
    if (!its.chunk.used()) HOTROW_RETURN_IF_ERROR(grant.permits_table(call.name));
    HOTROW_RETURN_IF_ERROR(check_slot(slot_of_dense(call.name, its.chunk)));
  }
  auto number = hub.parameters.number_of(dense.value());
  if (!number.ok()) return number.status();
  return wire::to_text(wire::OpenedDense{.parameter = number.value(),
                                         .name = dense.value()->name(),
                                         .options = its,
                                         .size = dense.value()->size(),
                                         .state_values = dense.value()->state_values()});
}

// What clients see: a parameter that is cut is one, whichever chunks are here.
Text list(Hub& hub, const Grant& grant, const wire::Call& call) {
  auto all = hub.store->list();
  if (!all.ok()) return all.status();
  std::vector<ParameterInfo> infos;
  std::set<std::string> seen;
  for (ParameterInfo& info : all.value()) {
    const bool cut = info.chunk.used();
    const std::string name(cut ? whole_name(info.name) : info.name);
    if (!grant.names(name)) continue;
    if (cut && !call.chunks) {
      if (!seen.insert(name).second) continue;
      info = {.name = name, .kind = info.kind, .shape = info.chunk.shape};
    }
    infos.push_back(std::move(info));
  }
  return wire::to_text(infos);
}

// Of a parameter that is cut all chunks that are here.
Text drop(Hub& hub, const Grant&, const wire::Call& call) {
  const auto all = hub.store->list();
  if (!all.ok()) return all.status();
  Status dropped = hub.store->drop(call.name);
  for (const ParameterInfo& info : all.value()) {
    const bool its = info.chunk.index != 0 && whole_name(info.name) == call.name;
    if (!its || (!dropped.ok() && dropped.code() != StatusCode::kNotFound)) continue;
    dropped = hub.store->drop(info.name);
  }
  return text_of(dropped);
}

// Of a list of what has names, what the client may use.
template <class T>
Text text_of_permitted(Result<std::vector<T>> result, const Grant& grant) {
  if (!result.ok()) return result.status();
  std::erase_if(result.value(), [&](const T& each) { return !grant.names(each.name); });
  return wire::to_text(result.value());
}

// A name for the version asks for what naming asks for.
Text commit(Hub& hub, const Grant& grant, const wire::Call& call) {
  if (!call.name.empty()) HOTROW_RETURN_IF_ERROR(grant.permits(Role::kAdmin, "name"));
  HOTROW_RETURN_IF_ERROR(hub.ownership.wait_for_thaw(kMostFreeze));
  return text_of(hub.store->commit({.cursor = call.other,
                                    .name = call.name,
                                    .keep_cursor = call.flag,
                                    .cluster = {.epoch = hub.ownership.epoch()}}));
}

Text rollback(Hub& hub, const Grant&, const wire::Call& call) {
  HOTROW_RETURN_IF_ERROR(hub.ownership.wait_for_thaw(kMostFreeze));
  HOTROW_RETURN_IF_ERROR(check_epoch_of(hub, call.name));
  return text_of(hub.store->rollback(call.name));
}

// A part that is a rollback asks for what a rollback asks for.
Text prepare(Hub& hub, const Grant& grant, const wire::Call& call) {
  if (call.number != 0) HOTROW_RETURN_IF_ERROR(grant.permits(Role::kAdmin, "rollback"));
  HOTROW_RETURN_IF_ERROR(hub.ownership.wait_for_thaw(kMostFreeze));
  if (call.number != 0) {
    // Slots may have moved since its client looked.
    HOTROW_RETURN_IF_ERROR(check_epoch_of(hub, std::to_string(call.number)));
  }
  const uint32_t epoch = hub.ownership.epoch();
  auto made = hub.cluster_versions.prepare(
      *hub.store, call.name,
      {.cursor = call.other, .keep_cursor = call.flag, .cluster = {.epoch = epoch}}, call.number);
  if (made.ok() && hub.ownership.epoch() != epoch) return slots_have_moved();
  return text_of(made);
}

// A version that exists has the rows of slots that have left, with their servers.
Text decide(Hub& hub, const Grant&, const wire::Call& call) {
  const auto made = hub.cluster_versions.decide(*hub.store, call.name, call.flag);
  if (made.ok()) erase_left_later(hub, made.value().cluster.epoch);
  return text_of(made);
}

Text placement(Hub& hub, const Grant&, const wire::Call&) {
  std::string text = hub.ownership.text();
  if (text.empty()) return Status::not_found("the server has no placement");
  return text;
}

Text resolve(Hub& hub, const Grant&, const wire::Call& call) {
  const auto decided = hub.cluster_versions.resolve(*hub.store, call.name);
  if (!decided.ok()) return decided.status();
  return wire::to_text(uint64_t{decided.value()});
}

// Of a table by its number.
template <class Work>
Text of_table(Hub& hub, const Grant& grant, const wire::Call& call, const Work& work) {
  auto table = hub.parameters.table(call.parameter);
  if (!table.ok()) return table.status();
  HOTROW_RETURN_IF_ERROR(grant.permits_table(table.value()->name()));
  return text_of(work(*table.value()));
}

struct Entry {
  std::string_view name;
  Role role;
  Worker Hub::* worker;
  Text (*work)(Hub& hub, const Grant& grant, const wire::Call& call);
};

constexpr std::array kCalls{
    Entry{"table", Role::kReader, &Hub::opening, open_table},
    Entry{"dense", Role::kReader, &Hub::opening, open_dense},
    Entry{"list", Role::kReader, &Hub::others, list},
    Entry{"placement", Role::kReader, &Hub::others, placement},
    Entry{"setPlacement", Role::kAdmin, &Hub::opening,
          [](Hub& hub, const Grant&, const wire::Call& call) {
            return text_of(hub.ownership.set(call.other, call.name));
          }},
    // Behind versions that are being written: see freeze_slots().
    Entry{"freezeSlots", Role::kAdmin, &Hub::files,
          [](Hub& hub, const Grant&, const wire::Call& call) {
            return text_of(freeze_slots(hub, call.number, call.other));
          }},
    // Not behind versions, which wait for the end of the freeze.
    Entry{"closeSlots", Role::kAdmin, &Hub::opening,
          [](Hub& hub, const Grant&, const wire::Call& call) {
            const auto slots = parse_slots(call.other);
            if (!slots.ok()) return text_of(slots.status());
            return text_of(hub.ownership.freeze(call.number, slots.value(), true));
          }},
    Entry{"thawSlots", Role::kAdmin, &Hub::others,
          [](Hub& hub, const Grant&, const wire::Call& call) {
            const auto slots = parse_slots(call.other);
            if (slots.ok()) hub.ownership.thaw(call.number, slots.value());
            return text_of(slots.status());
          }},
    Entry{"expectSlots", Role::kAdmin, &Hub::opening,
          [](Hub& hub, const Grant&, const wire::Call& call) {
            return text_of(expect_slots(hub, call.number, call.other));
          }},
    Entry{"drop", Role::kAdmin, &Hub::files, drop},
    Entry{"commit", Role::kTrainer, &Hub::files, commit},
    Entry{"version", Role::kReader, &Hub::others,
          [](Hub& hub, const Grant&, const wire::Call&) { return text_of(hub.store->version()); }},
    Entry{"versions", Role::kReader, &Hub::others,
          [](Hub& hub, const Grant&, const wire::Call&) { return text_of(hub.store->versions()); }},
    Entry{"rollback", Role::kAdmin, &Hub::files, rollback},
    Entry{"prepare", Role::kTrainer, &Hub::files, prepare},
    Entry{
        "begin", Role::kTrainer, &Hub::files,
        [](Hub& hub, const Grant&, const wire::Call& call) {
          const auto connected = [&](const std::string& id) { return hub.sessions.connected(id); };
          return text_of(hub.cluster_versions.begin(*hub.store, call.name, call.other, connected));
        }},
    Entry{"decide", Role::kTrainer, &Hub::files, decide},
    Entry{"close", Role::kTrainer, &Hub::files,
          [](Hub& hub, const Grant&, const wire::Call& call) {
            return text_of(hub.cluster_versions.close(*hub.store, call.name));
          }},
    Entry{"notClosed", Role::kTrainer, &Hub::files,
          [](Hub& hub, const Grant&, const wire::Call&) {
            return hub.cluster_versions.not_closed(*hub.store);
          }},
    Entry{"resolve", Role::kTrainer, &Hub::files, resolve},
    Entry{"settle", Role::kTrainer, &Hub::files,
          [](Hub& hub, const Grant&, const wire::Call& call) {
            return text_of(hub.cluster_versions.settle(*hub.store, call.name, call.flag));
          }},
    Entry{"nameVersion", Role::kAdmin, &Hub::files,
          [](Hub& hub, const Grant&, const wire::Call& call) {
            return text_of(hub.store->name_version(call.name, call.number));
          }},
    Entry{"pinVersion", Role::kAdmin, &Hub::files,
          [](Hub& hub, const Grant&, const wire::Call& call) {
            return text_of(hub.store->pin_version(call.number, call.flag));
          }},
    Entry{"refresh", Role::kTrainer, &Hub::files,
          [](Hub& hub, const Grant&, const wire::Call&) { return text_of(hub.store->refresh()); }},
    Entry{"diff", Role::kReader, &Hub::files,
          [](Hub& hub, const Grant& grant, const wire::Call& call) {
            return text_of_permitted(hub.store->diff(call.name, call.other), grant);
          }},
    Entry{"verify", Role::kTrainer, &Hub::files,
          [](Hub& hub, const Grant&, const wire::Call&) { return text_of(hub.store->verify()); }},
    Entry{"compact", Role::kAdmin, &Hub::files,
          [](Hub& hub, const Grant&, const wire::Call&) { return text_of(hub.store->compact()); }},
    Entry{"stats", Role::kReader, &Hub::others,
          [](Hub& hub, const Grant&, const wire::Call&) { return text_of(hub.store->stats()); }},
    Entry{"serverStats", Role::kReader, &Hub::others,
          [](Hub& hub, const Grant& grant, const wire::Call&) -> Text {
            return wire::to_text(
                hub.figures([&](std::string_view table) { return grant.names(table); }));
          }},
    Entry{"tableStats", Role::kReader, &Hub::others,
          [](Hub& hub, const Grant& grant, const wire::Call& call) {
            return of_table(hub, grant, call, [](Table& table) { return table.stats(); });
          }},
    Entry{"reserve", Role::kTrainer, &Hub::others,
          [](Hub& hub, const Grant& grant, const wire::Call& call) {
            return of_table(hub, grant, call,
                            [&](Table& table) { return table.reserve(call.number); });
          }},
    Entry{"evict", Role::kTrainer, &Hub::others,
          [](Hub& hub, const Grant& grant, const wire::Call& call) {
            return of_table(hub, grant, call,
                            [&](Table& table) { return table.evict(call.number); });
          }},
    Entry{"shrink", Role::kTrainer, &Hub::others,
          [](Hub& hub, const Grant& grant, const wire::Call& call) {
            return of_table(hub, grant, call,
                            [&](Table& table) { return table.shrink(call.shrink); });
          }},
    Entry{"decay", Role::kTrainer, &Hub::others,
          [](Hub& hub, const Grant& grant, const wire::Call& call) {
            return of_table(hub, grant, call, [&](Table& table) { return table.decay(call.real); });
          }},
    Entry{"hotKeys", Role::kReader, &Hub::others,
          [](Hub& hub, const Grant& grant, const wire::Call& call) {
            return of_table(hub, grant, call,
                            [&](Table& table) { return table.hot_keys(call.number); });
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

AlignedBuffer answer_call(Hub& hub, const Grant& grant, const wire::FrameHeader& request,
                          const wire::Call& call) {
  auto text = guarded([&]() -> Text {
    const Entry* entry = find(call.call);
    if (entry == nullptr) {
      return Status(StatusCode::kUnsupported, "the server knows no call '" + call.call + "'");
    }
    HOTROW_RETURN_IF_ERROR(grant.permits(entry->role, entry->name));
    return entry->work(hub, grant, call);
  });
  if (text.ok()) return wire::text_frame(reply_to(request, {}), text.value());
  ++hub.failures;
  return failure(request, text.status());
}

}  // namespace hotrow::server
