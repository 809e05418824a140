// Requests of one server as they are on the wire, without what a client does about its answers.
#ifndef HOTROW_TEST_SUPPORT_PLAIN_REQUESTS_H_
#define HOTROW_TEST_SUPPORT_PLAIN_REQUESTS_H_

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "client/connection.h"
#include "support/status.h"
#include "wire/call.h"

namespace hotrow::test {

/// A connection, and the table "t" there.
struct Plain {
  explicit Plain(const std::string& server, const std::string& session = "") {
    const auto address = must(net::parse_address(server));
    connection = must(client::Connection::open(address, {.session = session}, soon(), {}));
    client::Request open(wire::Verb::kCall);
    open.add_text(wire::to_text(wire::Call{.call = "table", .name = "t"}));
    client::TextReply reply;
    must(connection->send(open, reply, soon()));
    must(connection->wait(reply, soon()));
    must(reply.status);
    number = must(wire::from_text<wire::OpenedTable>(reply.text)).parameter;
  }
  static client::Deadline soon() {
    return std::chrono::steady_clock::now() + std::chrono::seconds(20);
  }
  std::string session() const { return connection->welcome().session; }

  Status call(const wire::Call& call) {
    client::Request request(wire::Verb::kCall);
    request.add_text(wire::to_text(call));
    client::TextReply reply;
    must(connection->send(request, reply, soon()));
    must(connection->wait(reply, soon()));
    return reply.status;
  }
  Status push(uint64_t sequence, uint64_t key, uint32_t epoch = 0) {
    const std::vector<uint64_t> keys = {key};
    const std::vector<float> ones = {1};
    client::Request push(wire::Verb::kPush);
    push.header().sequence = sequence;
    push.header().epoch = epoch;
    push.add<uint64_t>(0, number, wire::Kind::kKeys, keys);
    push.add<float>(0, number, wire::Kind::kGradients, ones);
    client::CountReply reply;
    must(connection->send(push, reply, soon()));
    must(connection->wait(reply, soon()));
    seen = reply.epoch;
    return reply.status;
  }

  std::shared_ptr<client::Connection> connection;
  uint32_t number = 0;
  uint32_t seen = 0;  // epoch of the last reply
};

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_PLAIN_REQUESTS_H_
