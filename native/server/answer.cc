// Answers to the requests about rows: arrays are read where they came in, and results are written
// where they go out.
#include <algorithm>
#include <utility>
#include <vector>

#include "base/bags.h"
#include "base/batch_check.h"
#include "base/dense_chunks.h"
#include "base/guarded.h"
#include "server/moving.h"
#include "server/session.h"

namespace hotrow::server {

namespace {

using wire::Kind;
using wire::Type;
using wire::Verb;

using Memory = std::function<AlignedBuffer(size_t)>;

// One request while it is answered.
struct Work {
  Hub& hub;
  SessionState& session;
  const wire::FrameHeader& request;
  const wire::Message& message;
  const Memory& memory;
  Marks& marks;
};

Status wrong(const char* what) { return Status::invalid_argument(std::string("request: ") + what); }

// What a part names: its first section has the parameter's number.
uint32_t number_of(const wire::Message& message, uint16_t part) {
  return message.part(part).front().parameter;
}

Result<std::shared_ptr<Table>> table_of(const Work& work, uint16_t part) {
  if (part >= work.message.parts()) return wrong("it has no sections");
  return work.hub.parameters.table(number_of(work.message, part));
}

// Begins the reply's frame, for which everything was added. A reply may be no longer than a
// request.
Status begin(const Work& work, wire::FrameWriter& frame) {
  const uint64_t most = work.hub.options.most_body_bytes;
  if (frame.bytes() > most + wire::kHeaderBytes) {
    return Status::invalid_argument("request: its reply would have " +
                                    std::to_string(frame.bytes()) + " bytes, at most " +
                                    std::to_string(most) + " are sent");
  }
  frame.use(work.memory(frame.bytes()));
  frame.begin(reply_to(work.request, {}));
  work.marks.decoded = VerbTimes::Clock::now();
  return {};
}

// Of a frame that begin() has begun, once its arrays are filled.
AlignedBuffer finish(const Work& work, wire::FrameWriter& frame) {
  work.marks.worked = VerbTimes::Clock::now();
  return frame.finish(true);
}

LookupOptions lookup_options(const wire::CallOptions& options, std::span<uint8_t> found) {
  LookupOptions its{.found = found,
                    .relaxed = (options.flags & wire::kRelaxed) != 0,
                    .max_age_ms = options.max_age_ms};
  if ((options.flags & wire::kHasMissing) != 0) its.missing = options.missing;
  return its;
}

// keys -> rows, found, of any number of tables.
Result<AlignedBuffer> lookup(const Work& work) {
  struct Part {
    std::shared_ptr<Table> table;
    KeyBatch keys;
    wire::CallOptions options;
    std::span<const uint32_t> times;
    size_t rows = 0;  // its section, found's is the one behind it
  };
  std::vector<Part> parts;
  wire::FrameWriter frame;
  const bool state = work.request.verb == Verb::kState;
  for (uint16_t i = 0; i < work.message.parts(); ++i) {
    auto table = table_of(work, i);
    if (!table.ok()) return table.status();
    auto keys = work.message.values<uint64_t>(i, Kind::kKeys);
    if (!keys.ok()) return keys.status();
    auto times = work.message.values<uint32_t>(i, Kind::kTimes);
    if (!times.ok()) return times.status();
    auto options = work.message.options(i);
    if (!options.ok()) return options.status();
    const Table& its = *table.value();
    const uint64_t n = keys.value().size();
    const uint64_t width = state ? its.state_values() : its.options().dim;
    const uint32_t number = number_of(work.message, i);
    parts.push_back(
        {table.value(), keys.value(), options.value(), times.value(), frame.layout().size()});
    frame.layout().add(i, number, state ? Kind::kState : Kind::kRows, Type::kF32,
                       width == 0 ? 0 : n, std::max<uint32_t>(static_cast<uint32_t>(width), 1));
    if ((options.value().flags & wire::kWantsFound) != 0) {
      frame.layout().add(i, number, Kind::kFound, Type::kU8, (n + 7) / 8);
    }
  }
  if (parts.empty()) return wrong("it has no sections");
  HOTROW_RETURN_IF_ERROR(begin(work, frame));
  std::vector<TableLookup> lookups;
  for (const Part& part : parts) {
    const bool found = (part.options.flags & wire::kWantsFound) != 0;
    const auto rows = frame.array<float>(part.rows);
    const LookupOptions options = lookup_options(
        part.options, found ? frame.array<uint8_t>(part.rows + 1) : std::span<uint8_t>());
    if (state) {
      HOTROW_RETURN_IF_ERROR(part.table->lookup_state(part.keys, rows, options));
    } else if (parts.size() == 1 && part.times.empty()) {
      HOTROW_RETURN_IF_ERROR(part.table->lookup(part.keys, rows, options));
    } else {
      lookups.push_back({.table = part.table.get(),
                         .keys = part.keys,
                         .rows = rows,
                         .options = options,
                         .times = part.times});
    }
  }
  if (!lookups.empty()) HOTROW_RETURN_IF_ERROR(work.hub.store->lookup_all(lookups));
  return finish(work, frame);
}

Result<BagBatch> bags_of(const Work& work) {
  auto keys = work.message.values<uint64_t>(0, Kind::kKeys);
  auto offsets = work.message.values<uint32_t>(0, Kind::kOffsets);
  auto weights = work.message.values<float>(0, Kind::kWeights);
  auto options = work.message.options(0);
  for (const Status& status :
       {keys.status(), offsets.status(), weights.status(), options.status()}) {
    HOTROW_RETURN_IF_ERROR(status);
  }
  if (offsets.value().empty()) return wrong("it has no offsets");
  if (options.value().pooling > static_cast<uint32_t>(Pooling::kSqrtn)) {
    return wrong("unknown pooling");
  }
  return BagBatch{.keys = keys.value(),
                  .offsets = offsets.value(),
                  .weights = weights.value(),
                  .pooling = static_cast<Pooling>(options.value().pooling)};
}

Result<AlignedBuffer> pooled(const Work& work) {
  auto table = table_of(work, 0);
  if (!table.ok()) return table.status();
  auto bags = bags_of(work);
  if (!bags.ok()) return bags.status();
  wire::FrameWriter frame;
  frame.layout().add(0, number_of(work.message, 0), Kind::kRows, Type::kF32,
                     bags.value().offsets.size() - 1, table.value()->options().dim);
  HOTROW_RETURN_IF_ERROR(begin(work, frame));
  HOTROW_RETURN_IF_ERROR(table.value()->lookup_pooled(bags.value(), frame.array<float>(0)));
  return finish(work, frame);
}

// What a change answers: nothing, or a count.
AlignedBuffer counted(const Work& work, uint64_t count) {
  wire::FrameWriter frame;
  frame.layout().add(0, 0, Kind::kCount, Type::kU64, 1);
  frame.begin(reply_to(work.request, {}));
  frame.array<uint64_t>(0)[0] = count;
  return frame.finish(true);
}

// A push's parts: one with keys is a table's, one without is a dense parameter's.
struct Pushes {
  struct OfDense {
    std::shared_ptr<Dense> dense;
    std::span<const float> gradient;
    PushOptions options;
  };
  std::vector<std::shared_ptr<Table>> owners;
  std::vector<TablePush> tables;  // of these
  std::vector<OfDense> dense;
};

Status read_pushes(const Work& work, Pushes& pushes) {
  for (uint16_t i = 0; i < work.message.parts(); ++i) {
    auto gradients = work.message.values<float>(i, Kind::kGradients);
    auto keys = work.message.values<uint64_t>(i, Kind::kKeys);
    auto times = work.message.values<uint32_t>(i, Kind::kTimes);
    auto options = work.message.options(i);
    if (!gradients.ok()) return gradients.status();
    if (!times.ok()) return times.status();
    if (!keys.ok()) return keys.status();
    if (!options.ok()) return options.status();
    const PushOptions its{.learning_rate = options.value().learning_rate};
    HOTROW_RETURN_IF_ERROR(its.validate());
    if (work.message.find(i, Kind::kKeys) == nullptr) {
      auto parameter = work.hub.parameters.dense(number_of(work.message, i));
      if (!parameter.ok()) return parameter.status();
      pushes.dense.push_back({parameter.value(), gradients.value(), its});
      continue;
    }
    auto table = table_of(work, i);
    if (!table.ok()) return table.status();
    auto& owners = pushes.owners;
    if (std::find(owners.begin(), owners.end(), table.value()) != owners.end()) {
      return wrong("a table appears twice");
    }
    owners.push_back(table.value());
    pushes.tables.push_back({.table = table.value().get(),
                             .keys = keys.value(),
                             .gradients = gradients.value(),
                             .options = its,
                             .times = times.value()});
  }
  return {};
}

// Of a worker's step: kept until the step is decided.
Outcome hold(const Work& work, const Pushes& pushes) {
  HeldPush held;
  for (size_t i = 0; i < pushes.tables.size(); ++i) {
    const TablePush& its = pushes.tables[i];
    // Sums of one worker's gradients, added to the others', are other bits.
    if (!its.times.empty()) return {wrong("times of a push that is held until its step ends")};
    held.tables.push_back({.table = pushes.owners[i],
                           .keys = {its.keys.begin(), its.keys.end()},
                           .gradients = {its.gradients.begin(), its.gradients.end()},
                           .options = its.options});
  }
  for (const Pushes::OfDense& its : pushes.dense) {
    held.dense.push_back({.dense = its.dense,
                          .gradient = {its.gradient.begin(), its.gradient.end()},
                          .options = its.options});
  }
  return {work.hub.clocks.hold(work.session.id(), work.request.clock, std::move(held))};
}

// All tables or none; then each dense parameter.
Outcome push(const Work& work) {
  Pushes pushes;
  if (Status status = read_pushes(work, pushes); !status.ok()) return {std::move(status)};
  if (work.request.clock != 0) return hold(work, pushes);
  Status status;
  if (pushes.tables.size() == 1 && pushes.tables.front().times.empty()) {
    const TablePush& only = pushes.tables.front();
    status = only.table->push(only.keys, only.gradients, only.options);
  } else if (!pushes.tables.empty()) {
    status = work.hub.store->push_all(pushes.tables);
  }
  for (const Pushes::OfDense& each : pushes.dense) {
    if (!status.ok()) break;
    status = each.dense->push(each.gradient, each.options);
  }
  return {std::move(status)};
}

// As hold(), of bags: each key's gradient.
Outcome hold_bags(const Work& work, const std::shared_ptr<Table>& table, const BagBatch& bags,
                  std::span<const float> gradients, const PushOptions& options) {
  const size_t dim = table->options().dim;
  if (Status valid = check_bags(bags, "gradients", gradients.size(), dim); !valid.ok()) {
    return {std::move(valid)};
  }
  if (!all_finite(bags.weights)) {
    return {Status::invalid_argument("weights: expected finite values, received NaN or infinity")};
  }
  // A key's gradient is longer than the key that was sent: there is to be room before it is made.
  const uint64_t bytes = HeldPush::bytes_of_table(bags.keys.size(), dim);
  Status may = work.hub.clocks.may_hold(work.session.id(), work.request.clock, bytes);
  if (!may.ok()) return {std::move(may)};
  HeldPush held;
  auto& its = held.tables.emplace_back();
  its = {.table = table,
         .keys = {bags.keys.begin(), bags.keys.end()},
         .gradients = std::vector<float>(bags.keys.size() * dim),
         .options = options};
  BagGradients of(bags, gradients.data(), dim);
  for (size_t i = 0; i < bags.keys.size(); ++i) {
    const auto [row, scale] = of(i);
    for (size_t d = 0; d < dim; ++d) its.gradients[i * dim + d] = row[d] * scale;
  }
  return {work.hub.clocks.hold(work.session.id(), work.request.clock, std::move(held))};
}

Outcome push_bags(const Work& work) {
  auto table = table_of(work, 0);
  if (!table.ok()) return {table.status()};
  auto bags = bags_of(work);
  if (!bags.ok()) return {bags.status()};
  auto gradients = work.message.values<float>(0, Kind::kGradients);
  if (!gradients.ok()) return {gradients.status()};
  auto options = work.message.options(0);
  if (!options.ok()) return {options.status()};
  const PushOptions its{.learning_rate = options.value().learning_rate};
  if (Status valid = its.validate(); !valid.ok()) return {std::move(valid)};
  if (work.request.clock != 0) {
    return hold_bags(work, table.value(), bags.value(), gradients.value(), its);
  }
  return {table.value()->push_pooled(bags.value(), gradients.value(), its)};
}

// One after the other: what came before one that fails stays.
Outcome update_dense(const Work& work) {
  struct Update {
    std::shared_ptr<Dense> dense;
    std::span<const float> values;
    UpdateOptions options;
  };
  std::vector<Update> updates;
  for (uint16_t i = 0; i < work.message.parts(); ++i) {
    auto dense = work.hub.parameters.dense(number_of(work.message, i));
    auto values = work.message.values<float>(i, Kind::kValues);
    auto state = work.message.values<float>(i, Kind::kState);
    auto wishes = work.message.options(i);
    for (const Status& status :
         {dense.status(), values.status(), state.status(), wishes.status()}) {
      if (!status.ok()) return {status};
    }
    updates.push_back({.dense = std::move(dense).value(),
                       .values = values.value(),
                       .options = {.state = state.value(), .steps = wishes.value().steps}});
  }
  for (const Update& its : updates) {
    if (Status done = its.dense->update(its.values, its.options); !done.ok()) {
      return {std::move(done)};
    }
  }
  return {};
}

Outcome update(const Work& work) {
  if (work.message.parts() == 0) return {wrong("it has no sections")};
  if (work.message.find(0, Kind::kValues) != nullptr) return update_dense(work);
  auto state = work.message.values<float>(0, Kind::kState);
  auto wishes = work.message.options(0);
  if (!state.ok()) return {state.status()};
  if (!wishes.ok()) return {wishes.status()};
  const UpdateOptions options{.state = state.value(), .steps = wishes.value().steps};
  auto table = table_of(work, 0);
  if (!table.ok()) return {table.status()};
  auto keys = work.message.values<uint64_t>(0, Kind::kKeys);
  auto rows = work.message.values<float>(0, Kind::kRows);
  if (!keys.ok()) return {keys.status()};
  if (!rows.ok()) return {rows.status()};
  return {table.value()->update(keys.value(), rows.value(), options)};
}

Outcome erase_or_score(const Work& work) {
  auto table = table_of(work, 0);
  if (!table.ok()) return {table.status()};
  auto keys = work.message.values<uint64_t>(0, Kind::kKeys);
  auto scores = work.message.values<float>(0, Kind::kWeights);
  if (!keys.ok()) return {keys.status()};
  if (!scores.ok()) return {scores.status()};
  auto count = work.request.verb == Verb::kScores
                   ? table.value()->set_scores(keys.value(), scores.value())
                   : table.value()->erase(keys.value());
  if (!count.ok()) return {count.status()};
  return {{}, count.value()};
}

// What the old server's policy remembers of rows that came before.
Outcome set_heats(const Work& work) {
  auto table = table_of(work, 0);
  if (!table.ok()) return {table.status()};
  auto keys = work.message.values<uint64_t>(0, Kind::kKeys);
  auto heats = work.message.values<uint32_t>(0, Kind::kHeats);
  if (!keys.ok()) return {keys.status()};
  if (!heats.ok()) return {heats.status()};
  return {table.value()->set_heats(keys.value(), heats.value())};
}

// Of slots that are expected: what an update or erase is; or what is remembered of their rows.
Outcome take(const Work& work) {
  if (work.message.parts() != 1) return {wrong("it has not one part")};
  if (work.message.find(0, Kind::kHeats) != nullptr) return set_heats(work);
  const bool assigns = work.message.find(0, Kind::kRows) != nullptr ||
                       work.message.find(0, Kind::kValues) != nullptr;
  return assigns ? update(work) : erase_or_score(work);
}

Outcome change(const Work& work) {
  switch (work.request.verb) {
    case Verb::kPush:
      return push(work);
    case Verb::kPushBags:
      return push_bags(work);
    case Verb::kUpdate:
      return update(work);
    case Verb::kTake:
      return take(work);
    default:
      return erase_or_score(work);
  }
}

// One dense parameter of a pull, and where its sections are in the reply.
struct Pulled {
  std::shared_ptr<Dense> dense;
  bool state = false;      // is wanted
  bool stamped = false;    // the client knows stamps
  bool unchanged = false;  // the client has these values
  DenseStamp stamp;
  size_t at = 0;  // the first of its sections: values, state, count, stamp, as far as there are any
};

Status read_pull(const Work& work, uint16_t i, wire::FrameWriter& frame, Pulled& its) {
  const uint32_t number = number_of(work.message, i);
  auto dense = work.hub.parameters.dense(number);
  auto options = work.message.options(i);
  auto known = work.message.values<uint64_t>(i, Kind::kStamp);
  for (const Status& status : {dense.status(), options.status(), known.status()}) {
    HOTROW_RETURN_IF_ERROR(status);
  }
  const auto stamp = known.value();
  if (!stamp.empty() && stamp.size() != 2) return wrong("a stamp is two numbers");
  its.dense = std::move(dense).value();
  its.state = (options.value().flags & wire::kWantsState) != 0;
  its.stamped = !stamp.empty();
  its.at = frame.layout().size();
  if (its.stamped) {
    const auto now = its.dense->stamp();
    if (!now.ok()) return now.status();
    its.stamp = now.value();
    its.unchanged = its.stamp.run != 0 && its.stamp == DenseStamp{stamp[0], stamp[1]};
  }
  if (!its.unchanged) {
    frame.layout().add(i, number, Kind::kValues, Type::kF32, its.dense->size());
    if (its.state) {
      frame.layout().add(i, number, Kind::kState, Type::kF32, its.dense->state_values());
      frame.layout().add(i, number, Kind::kCount, Type::kU64, 1);
    }
  }
  if (its.stamped) frame.layout().add(i, number, Kind::kStamp, Type::kU64, 2);
  return {};
}

Status write_pull(wire::FrameWriter& frame, Pulled& its) {
  size_t at = its.at;
  if (!its.unchanged) {
    const auto values = frame.array<float>(at++);
    const auto state = its.state ? frame.array<float>(at++) : std::span<float>();
    // The stamp of what is copied, which may be newer than what was looked at.
    const auto pulled = its.dense->pull_stamped(values, state);
    if (!pulled.ok()) return pulled.status();
    its.stamp = pulled.value().stamp;
    if (its.state) frame.array<uint64_t>(at++)[0] = pulled.value().steps;
  }
  if (!its.stamped) return {};
  frame.array<uint64_t>(at)[0] = its.stamp.run;
  frame.array<uint64_t>(at)[1] = its.stamp.change;
  return {};
}

Result<AlignedBuffer> pull(const Work& work) {
  if (work.message.parts() == 0) return wrong("it has no sections");
  std::vector<Pulled> all(work.message.parts());
  wire::FrameWriter frame;
  for (uint16_t i = 0; i < all.size(); ++i) {
    HOTROW_RETURN_IF_ERROR(read_pull(work, i, frame, all[i]));
  }
  HOTROW_RETURN_IF_ERROR(begin(work, frame));
  for (Pulled& its : all) HOTROW_RETURN_IF_ERROR(write_pull(frame, its));
  return finish(work, frame);
}

uint32_t slot_of(const Dense& dense) { return slot_of_dense(dense.name(), dense.options().chunk); }

// ERR_WRONG_OWNER unless all keys and dense parameters of a request are this server's. What is
// wrong in another way is for the verb to say.
Status check_owned(const Work& work, const Owned& owned, Use use) {
  if (owned.everything) return {};
  const Verb verb = work.request.verb;
  const bool of_dense = verb == Verb::kPull || verb == Verb::kPush || verb == Verb::kUpdate;
  for (uint16_t i = 0; i < work.message.parts(); ++i) {
    const auto keys = work.message.values<uint64_t>(i, Kind::kKeys);
    if (keys.ok()) HOTROW_RETURN_IF_ERROR(owned.check(keys.value(), use));
    if (!of_dense) continue;
    // By what its number is of, whatever sections it has.
    const auto dense = work.hub.parameters.dense(number_of(work.message, i));
    if (!dense.ok()) continue;
    HOTROW_RETURN_IF_ERROR(owned.check_slot(slot_of(*dense.value()), use));
  }
  return {};
}

// As check_owned(), of rows that a mover brings.
Status check_expected(const Work& work, const Owned& owned) {
  if (work.message.parts() == 0) return {};
  const auto options = work.message.options(0);
  if (!options.ok()) return options.status();
  const uint64_t lock = options.value().from;
  const auto keys = work.message.values<uint64_t>(0, Kind::kKeys);
  if (keys.ok()) HOTROW_RETURN_IF_ERROR(owned.check_expected(lock, keys.value()));
  const auto dense = work.hub.parameters.dense(number_of(work.message, 0));
  if (!dense.ok()) return {};
  return owned.check_expected_slot(lock, slot_of(*dense.value()));
}

Result<AlignedBuffer> answer_data(const Work& work) {
  using Answer = Result<AlignedBuffer>;
  const bool reads = work.request.verb == Verb::kLookup || work.request.verb == Verb::kState ||
                     work.request.verb == Verb::kPooled || work.request.verb == Verb::kPull;
  if (reads) {
    return work.hub.ownership.hold([&](const Owned& owned) -> Answer {
      HOTROW_RETURN_IF_ERROR(check_owned(work, owned, Use::kReads));
      if (work.request.verb == Verb::kPooled) return pooled(work);
      if (work.request.verb == Verb::kPull) return pull(work);
      return lookup(work);
    });
  }
  work.marks.decoded = VerbTimes::Clock::now();
  // In the session's turn: a change that was applied before its slot went elsewhere, and comes
  // again, gets its outcome and is not refused, or its client would send it to the new owner too.
  const Outcome outcome = work.session.change(work.request.sequence, work.hub.repeated, [&] {
    return work.hub.ownership.hold([&](const Owned& owned) -> Outcome {
      Status its = work.request.verb == Verb::kTake ? check_expected(work, owned)
                                                    : check_owned(work, owned, Use::kChanges);
      if (!its.ok()) return {std::move(its)};
      return change(work);
    });
  });
  work.marks.worked = VerbTimes::Clock::now();
  if (!outcome.status.ok()) return outcome.status;
  return counted(work, outcome.count);
}

Result<AlignedBuffer> evicted_page(Table& table, const wire::FrameHeader& request, uint64_t most) {
  auto evicted = table.take_evicted(most);
  if (!evicted.ok()) return evicted.status();
  const auto& all = evicted.value();
  wire::FrameWriter frame;
  frame.layout().add(0, 0, Kind::kKeys, Type::kU64, all.size());
  frame.layout().add(0, 0, Kind::kBytes, Type::kU8, all.size());
  frame.begin(reply_to(request, {}));
  for (size_t i = 0; i < all.size(); ++i) {
    frame.array<uint64_t>(0)[i] = all[i].key;
    frame.array<uint8_t>(1)[i] = static_cast<uint8_t>(all[i].reason);
  }
  return frame.finish(true);
}

// keys, rows, state; and where the next page begins, when there is one.
Result<AlignedBuffer> scan_page(Table& table, const wire::FrameHeader& request, uint64_t rows,
                                const wire::CallOptions& options, const SlotSet* slots) {
  const ScanOptions wishes{.state = (options.flags & wire::kWantsState) != 0,
                           .heats = (options.flags & wire::kWantsHeats) != 0};
  auto page = slots == nullptr ? table.scan(options.from, rows, wishes)
                               : scan_slots(table, *slots, options.from, rows, wishes);
  if (!page.ok()) return page.status();
  const ScanPage& its = page.value();
  const auto width = std::max<uint32_t>(static_cast<uint32_t>(table.state_values()), 1);
  wire::FrameWriter frame;
  frame.layout().add(0, 0, Kind::kKeys, Type::kU64, its.keys.size());
  frame.layout().add(0, 0, Kind::kRows, Type::kF32, its.keys.size(), table.options().dim);
  frame.layout().add(0, 0, Kind::kState, Type::kF32, its.state.size() / width, width);
  const size_t heats = frame.layout().size();
  if (!its.heats.empty()) frame.layout().add(0, 0, Kind::kHeats, Type::kU32, its.heats.size());
  const size_t next = frame.layout().size();
  if (its.next) frame.layout().add(0, 0, Kind::kCount, Type::kU64, 1);
  frame.begin(reply_to(request, {}));
  frame.put<uint64_t>(0, its.keys);
  frame.put<float>(1, its.rows);
  frame.put<float>(2, its.state);
  if (!its.heats.empty()) frame.put<uint32_t>(heats, its.heats);
  if (its.next) frame.array<uint64_t>(next)[0] = *its.next;
  return frame.finish(true);
}

}  // namespace

AlignedBuffer answer(Hub& hub, SessionState& session, const wire::FrameHeader& request,
                     const wire::Message& message, const Memory& memory, Marks& marks) {
  const Work work{hub, session, request, message, memory, marks};
  auto frame = guarded([&] { return answer_data(work); });
  if (frame.ok()) return std::move(frame).value();
  ++hub.failures;
  return failure(request, frame.status());
}

AlignedBuffer answer_page(Hub& hub, const wire::FrameHeader& request, uint32_t number,
                          const wire::CallOptions& options, const SlotSet* slots) {
  auto frame = guarded([&]() -> Result<AlignedBuffer> {
    auto table = hub.parameters.table(number);
    if (!table.ok()) return table.status();
    if (request.verb == Verb::kEvicted) {
      return evicted_page(*table.value(), request, std::min(options.most, kMostEvictedAPage));
    }
    // A page may have a few rows more than were asked for.
    const uint64_t row_bytes = sizeof(uint64_t) + sizeof(float) * (table.value()->options().dim +
                                                                   table.value()->state_values());
    const uint64_t page_bytes = std::min(hub.options.most_body_bytes / 2, kMostPageBytes);
    const uint64_t fit = std::max<uint64_t>(page_bytes / row_bytes, 1);
    const uint64_t most = std::min(fit, kMostPageRows);
    return scan_page(*table.value(), request, std::min(options.most, most), options, slots);
  });
  if (frame.ok()) return std::move(frame).value();
  ++hub.failures;
  return failure(request, frame.status());
}

}  // namespace hotrow::server
