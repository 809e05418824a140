// A relay before a server, on which answers can be stopped: the server is there and says nothing.
#ifndef HOTROW_TEST_SUPPORT_RELAY_H_
#define HOTROW_TEST_SUPPORT_RELAY_H_

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "support/loopback.h"

namespace hotrow::test {

class Relay {
 public:
  /// `server`: 127.0.0.1:PORT.
  explicit Relay(const std::string& server)
      : to_(static_cast<uint16_t>(std::stoi(server.substr(server.find(':') + 1)))) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t bytes = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), bytes), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &bytes), 0);
    address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this] { run(); });
  }
  ~Relay() {
    stopping_ = true;
    thread_.join();
    for (const Pair& pair : pairs_) end(pair);
    ::close(listener_);
  }
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  const std::string& address() const { return address_; }
  /// While it is silent, no answers come; what was asked meanwhile is answered afterwards.
  void silence(bool silent) { silent_ = silent; }
  /// Answers come by a few bytes a millisecond.
  void trickle(bool trickling) { trickling_ = trickling; }
  /// Ends all connections; new ones are taken.
  void cut() { cutting_ = true; }
  /// Connections that it has had.
  size_t taken() const { return taken_; }

 private:
  struct Pair {
    int client;
    int server;
  };

  static void end(const Pair& pair) {
    ::close(pair.client);
    ::close(pair.server);
  }
  /// False when one side is gone.
  static bool pass(int from, int to, bool few) {
    std::array<char, 65536> bytes;
    constexpr size_t kFew = 40;
    const ssize_t came = ::recv(from, bytes.data(), few ? kFew : bytes.size(), MSG_DONTWAIT);
    if (came < 0) return errno == EAGAIN;
    for (ssize_t sent = 0; sent < came;) {
      const ssize_t n =
          ::send(to, bytes.data() + sent, static_cast<size_t>(came - sent), MSG_NOSIGNAL);
      if (n < 0) return false;
      sent += n;
    }
    return came > 0;
  }
  void run() {
    while (!stopping_) {
      std::vector<pollfd> all{{listener_, POLLIN, 0}};
      const bool silent = silent_;
      if (cutting_.exchange(false)) {
        for (const Pair& pair : pairs_) end(pair);
        pairs_.clear();
      }
      for (const Pair& pair : pairs_) {
        all.push_back({pair.client, POLLIN, 0});
        all.push_back({pair.server, static_cast<int16_t>(silent ? 0 : POLLIN), 0});
      }
      constexpr int kLookMs = 1;
      if (trickling_) std::this_thread::sleep_for(std::chrono::milliseconds(kLookMs));
      if (::poll(all.data(), all.size(), kLookMs) <= 0) continue;
      std::vector<Pair> left;
      for (size_t i = 0; i < pairs_.size(); ++i) {
        const bool asks = (all[2 * i + 1].revents & POLLIN) != 0;
        const bool answers = (all[2 * i + 2].revents & POLLIN) != 0;
        const Pair& pair = pairs_[i];
        const bool there = (!asks || pass(pair.client, pair.server, false)) &&
                           (!answers || pass(pair.server, pair.client, trickling_));
        if (there) left.push_back(pair);
        if (!there) end(pair);
      }
      pairs_ = std::move(left);
      if ((all.front().revents & POLLIN) != 0) take();
    }
  }
  void take() {
    ++taken_;
    const int client = ::accept(listener_, nullptr, nullptr);
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(to_);
    if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      pairs_.push_back({client, server});
    } else {
      end({client, server});
    }
  }

  const uint16_t to_;
  int listener_ = -1;
  std::string address_;
  std::atomic<bool> silent_{false};
  std::atomic<bool> trickling_{false};
  std::atomic<bool> cutting_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<size_t> taken_{0};
  std::vector<Pair> pairs_;  // of the thread
  std::thread thread_;
};

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_RELAY_H_
