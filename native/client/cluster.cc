#include "client/cluster.h"

#include <algorithm>
#include <utility>

namespace hotrow::client {

Cluster::Cluster(const ConnectOptions& options, const std::vector<net::Address>& addresses,
                 const std::shared_ptr<const Credentials>& credentials)
    : placement_(options.servers), timeout_(options.timeout_ms) {
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

uint64_t Cluster::most_piece_bytes(uint64_t wanted) const {
  for (const auto& peer : peers_) wanted = std::min(wanted, peer->most_body_bytes() / 2);
  return wanted;
}

Status Cluster::single(const char* what) const {
  if (size() == 1) return {};
  return {StatusCode::kUnsupported, std::string(what) + " over several servers"};
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
