// A client that speaks the beginning of the protocol itself, as strangers may.
#ifndef HOTROW_TEST_SUPPORT_TICKETS_H_
#define HOTROW_TEST_SUPPORT_TICKETS_H_

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/hex.h"
#include "net/address.h"
#include "net/fabric.h"
#include "net/socket.h"
#include "net/tls.h"
#include "support/fabric.h"
#include "support/status.h"
#include "wire/call.h"
#include "wire/frame.h"

namespace hotrow::test {

struct Greeted {
  net::Socket socket;  // its end is that of the ticket
  wire::Welcome welcome;
};

/// Says HELLO, and with `wants` that it would rather have the transport under test.
inline Greeted greet(const std::string& server, bool wants = true,
                     std::shared_ptr<const net::TlsContext> tls = nullptr) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::seconds kMost{20};
  const auto address = must(net::parse_address(server));
  Greeted greeted{must(net::Socket::connect(address, Clock::now() + kMost, std::move(tls))), {}};
  net::Socket& socket = greeted.socket;
  const std::string hello = wants
                                ? R"({"version":1,"transport":")" + tested_transport_name() + "\"}"
                                : R"({"version":1})";
  const AlignedBuffer frame = wire::text_frame({.verb = wire::Verb::kHello}, hello);
  std::span<const std::byte> bytes = frame.bytes();
  EXPECT_EQ(must(socket.send({&bytes, 1})), bytes.size());
  std::string heard;
  std::vector<std::byte> space(1 << 16);
  while (heard.find("\"}") == std::string::npos) {
    if (socket.wait(net::Socket::kReadable, Clock::now() + kMost, {}) == 0) break;
    const size_t came = must(socket.receive(space, {}));
    heard.append(reinterpret_cast<const char*>(space.data()), came);
  }
  const size_t begin = heard.find("{\"");
  greeted.welcome = must(wire::from_text<wire::Welcome>(
      std::string_view(heard).substr(begin, heard.rfind('}') + 1 - begin)));
  return greeted;
}

/// Does the server open a stream to who shows this ticket?
inline bool opens(net::FabricLink& link, const wire::Welcome& welcome, const std::string& ticket,
                  std::chrono::milliseconds most = std::chrono::seconds(20)) {
  must(link.ask(from_hex(welcome.fabric), ticket));
  const auto end = std::chrono::steady_clock::now() + most;
  while (!link.open() && std::chrono::steady_clock::now() < end) (void)link.progress();
  return link.open();
}

/// For a stream that must not open.
inline std::chrono::milliseconds a_while() {
  return std::chrono::milliseconds(tested_transport() == Transport::kShm ? 300 : 1500);
}

inline std::unique_ptr<net::FabricLink> new_link() {
  return must(net::FabricLink::make({.transport = tested_transport()}));
}

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_TICKETS_H_
