#include "client/cluster.h"

#include <algorithm>
#include <utility>

namespace hotrow::client {

Cluster::Cluster(const ConnectOptions& options, const std::vector<net::Address>& addresses,
                 const std::shared_ptr<const Credentials>& credentials)
    : names_(options.servers), placement_(options.servers), timeout_(options.timeout_ms) {
  for (const net::Address& address : addresses) {
    peers_.push_back(std::make_unique<Peer>(address, options, credentials));
    path_ += (path_.empty() ? "hotrow://" : ",") + address.to_string();
  }
}

Result<std::string> Cluster::call(size_t server, const wire::Call& call, Deadline deadline,
                                  Effect effect, uint64_t generation) {
  Exchange exchange(wire::Verb::kCall, effect);
  exchange.generation = generation;
  exchange.request.add_text(wire::to_text(call));
  TextReply reply;
  HOTROW_RETURN_IF_ERROR(peer(server).run(exchange, reply, deadline));
  return std::move(reply.text);
}

Result<std::vector<std::string>> Cluster::call_each(std::span<const wire::Call> calls,
                                                    Deadline deadline, Effect effect) {
  struct Sent {
    explicit Sent(Effect its_effect) : exchange(wire::Verb::kCall, its_effect) {}
    TextReply reply;
    Exchange exchange;
    Status begun;
  };
  std::vector<std::unique_ptr<Sent>> all;
  for (size_t server = 0; server < size(); ++server) {
    Sent& sent = *all.emplace_back(std::make_unique<Sent>(effect));
    sent.exchange.request.add_text(wire::to_text(calls[server]));
    sent.begun = peer(server).begin(sent.exchange, sent.reply, deadline);
  }
  std::vector<std::string> texts;
  Status first;
  for (size_t server = 0; server < size(); ++server) {
    Sent& sent = *all[server];
    Status status = sent.begun;
    if (status.ok()) status = peer(server).end(sent.exchange, sent.reply, deadline);
    if (first.ok()) first = std::move(status);
    texts.push_back(std::move(sent.reply.text));
  }
  if (!first.ok()) return first;
  return texts;
}

uint64_t Cluster::most_piece_bytes(uint64_t wanted) const {
  for (const auto& peer : peers_) wanted = std::min(wanted, peer->most_body_bytes() / 2);
  return wanted;
}

Cut cut(const Placement& placement, size_t servers, KeyBatch keys) {
  Cut cut;
  cut.parts.resize(servers);
  for (Cut::Part& part : cut.parts) {
    part.keys.reserve(keys.size() / servers * 9 / 8 + 64);
    part.from.reserve(keys.size() / servers * 9 / 8 + 64);
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    Cut::Part& part = cut.parts[placement.server_of(keys[i])];
    part.keys.push_back(keys[i]);
    part.from.push_back(static_cast<uint32_t>(i));
  }
  return cut;
}

std::vector<float> gather(std::span<const float> rows, size_t width,
                          std::span<const uint32_t> from) {
  std::vector<float> gathered(from.size() * width);
  for (size_t i = 0; i < from.size(); ++i) {
    std::copy_n(rows.data() + from[i] * width, width, gathered.data() + i * width);
  }
  return gathered;
}

}  // namespace hotrow::client
