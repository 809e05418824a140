#include "client/remote_dense.h"

#include "base/guarded.h"

namespace hotrow::client {

using wire::Kind;

namespace {

Status expect_values(const char* name, uint64_t received, uint64_t expected) {
  if (received == expected) return {};
  return Status::invalid_argument(std::string(name) + ": expected " + std::to_string(expected) +
                                  " values, received " + std::to_string(received));
}

}  // namespace

RemoteDense::RemoteDense(std::shared_ptr<Cluster> cluster, size_t server,
                         const wire::OpenedDense& opened, uint64_t generation)
    : cluster_(std::move(cluster)),
      name_(opened.name),
      options_(opened.options),
      size_(opened.size),
      state_values_(opened.state_values),
      numbers_(cluster_, {.call = "dense", .name = name_}),
      pairs_(cluster_->sight().times(), name_) {
  numbers_.set(server, {opened.parameter, generation});
}

Result<uint64_t> RemoteDense::pull(std::span<float> values, std::span<float> state,
                                   bool with_state) {
  HOTROW_RETURN_IF_ERROR(expect_values("values", values.size(), size_));
  HOTROW_RETURN_IF_ERROR(expect_values("state", state.size(), with_state ? state_values_ : 0));
  const Traced traced(cluster_->sight(), "pull", name_);
  const Deadline deadline = cluster_->deadline();
  const auto pull_from = [&](const View& view, size_t server, uint32_t& epoch) -> Result<uint64_t> {
    epoch = UINT32_MAX;  // a refusal to open it is worth asking for the placement
    auto number = numbers_.of(server, deadline);
    if (!number.ok()) return number.status();
    uint64_t steps = 0;
    Reply reply([&](const wire::Section& section) -> std::span<std::byte> {
      if (section.kind == Kind::kValues) return std::as_writable_bytes(values);
      if (section.kind == Kind::kState) return std::as_writable_bytes(state);
      if (section.kind == Kind::kCount) return std::as_writable_bytes(std::span(&steps, 1));
      return {};
    });
    wire::CallOptions call;
    if (with_state) call.flags = wire::kWantsState;
    Exchange exchange(wire::Verb::kPull, Effect::kReads);
    exchange.pair = pairs_[static_cast<size_t>(wire::Verb::kPull)];
    exchange.generation = number.value().generation;
    exchange.request.header().epoch = view.epoch;
    exchange.request.add(0, number.value().number, call);
    const Status status = cluster_->peer(server).run(exchange, reply, deadline);
    epoch = reply.epoch;
    HOTROW_RETURN_IF_ERROR(status);
    return steps;
  };
  return guarded([&] { return at_server_of_dense(*cluster_, name_, deadline, pull_from); });
}

Status RemoteDense::pull(std::span<float> values) { return pull(values, {}, false).status(); }

Result<uint64_t> RemoteDense::pull_state(std::span<float> values, std::span<float> state) {
  return pull(values, state, true);
}

template <class Fill>
Status RemoteDense::change(wire::Verb verb, uint32_t clock, const Fill& fill) {
  const Traced traced(cluster_->sight(), wire::name_of(verb), name_);
  const Deadline deadline = cluster_->deadline();
  const auto change_at = [&](const View& view, size_t server, uint32_t& epoch) -> Status {
    epoch = UINT32_MAX;  // a refusal to open it is worth asking for the placement
    auto number = numbers_.of(server, deadline);
    if (!number.ok()) return number.status();
    Exchange exchange(verb, Effect::kChanges);
    exchange.pair = pairs_[static_cast<size_t>(verb)];
    exchange.generation = number.value().generation;
    exchange.request.header().epoch = view.epoch;
    exchange.request.header().clock = clock;
    fill(exchange.request, number.value().number);
    CountReply reply;
    Status status = cluster_->peer(server).run(exchange, reply, deadline);
    epoch = reply.epoch;
    return status;
  };
  return guarded([&] { return at_server_of_dense(*cluster_, name_, deadline, change_at); });
}

Status RemoteDense::push(std::span<const float> gradient, const PushOptions& options) {
  HOTROW_RETURN_IF_ERROR(expect_values("gradient", gradient.size(), size_));
  wire::CallOptions call;
  call.learning_rate = options.learning_rate;
  PushOfStep push(cluster_->open_step(), 1);
  HOTROW_RETURN_IF_ERROR(push.status());
  return push.done(change(wire::Verb::kPush, push.clock(), [&](Request& request, uint32_t number) {
    request.add(0, number, Kind::kGradients, gradient);
    request.add(0, number, call);
  }));
}

Status RemoteDense::update(std::span<const float> values, const UpdateOptions& options) {
  HOTROW_RETURN_IF_ERROR(expect_values("values", values.size(), size_));
  if (!options.state.empty()) {
    HOTROW_RETURN_IF_ERROR(expect_values("state", options.state.size(), state_values_));
  }
  wire::CallOptions call;
  call.steps = options.steps;
  return change(wire::Verb::kUpdate, 0, [&](Request& request, uint32_t number) {
    request.add(0, number, Kind::kValues, values);
    if (!options.state.empty()) request.add(0, number, Kind::kState, options.state);
    request.add(0, number, call);
  });
}

}  // namespace hotrow::client
