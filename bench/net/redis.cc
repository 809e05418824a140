#include "redis.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace hotrow::bench {

namespace {

constexpr const char* kProgram = "redis-server";
constexpr size_t kBufferBytes = size_t{1} << 18;
constexpr const char* kEnd = "\r\n";

std::string count(char kind, size_t n) { return kind + std::to_string(n) + kEnd; }

}  // namespace

bool has_redis() {
  const char* const path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const size_t colon = std::min(rest.find(':'), rest.size());
    const std::string candidate = std::string(rest.substr(0, colon)) + '/' + kProgram;
    if (::access(candidate.c_str(), X_OK) == 0) return true;
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return false;
}

std::unique_ptr<Child> start_redis() {
  return std::make_unique<Child>([](const Child::Ready& ready) {
    uint16_t port = 0;
    ::close(listen_on_loopback(port));
    ready(port);
    const int nowhere = ::open("/dev/null", O_WRONLY);
    ::dup2(nowhere, STDOUT_FILENO);
    const std::string number = std::to_string(port);
    ::execlp(kProgram, kProgram, "--port", number.c_str(), "--bind", "127.0.0.1", "--save", "",
             "--appendonly", "no", "--daemonize", "no", static_cast<char*>(nullptr));
    ::_exit(1);
  });
}

RedisClient::RedisClient(uint16_t port, uint32_t dim)
    : socket_(connect_to_loopback(port)),
      dim_(dim),
      value_head_(count('$', dim * sizeof(float))),
      buffer_(kBufferBytes) {}

RedisClient::~RedisClient() { ::close(socket_); }

void RedisClient::add_key(uint64_t key) {
  request_ += "$8\r\n";
  request_.append(reinterpret_cast<const char*>(&key), sizeof key);
  request_ += kEnd;
}

void RedisClient::set(std::span<const uint64_t> keys, std::span<const float> rows) {
  request_ = count('*', 1 + 2 * keys.size()) + "$4\r\nMSET\r\n";
  for (size_t i = 0; i < keys.size(); ++i) {
    add_key(keys[i]);
    request_ += value_head_;
    request_.append(reinterpret_cast<const char*>(rows.data() + i * dim_), dim_ * sizeof(float));
    request_ += kEnd;
  }
  iovec piece{request_.data(), request_.size()};
  send_all(socket_, {&piece, 1});
  expect("+OK\r\n");
}

void RedisClient::send(std::span<const uint64_t> keys) {
  request_.clear();
  for (const uint64_t key : keys) add_key(key);
  std::string head = count('*', 1 + keys.size()) + "$4\r\nMGET\r\n";
  iovec pieces[] = {{head.data(), head.size()}, {request_.data(), request_.size()}};
  send_all(socket_, pieces);
}

void RedisClient::receive(std::span<float> rows) {
  const size_t bytes = dim_ * sizeof(float);
  expect(count('*', rows.size() / dim_));
  for (size_t i = 0; i < rows.size(); i += dim_) {
    const char* const value = take(value_head_.size() + bytes + 2);
    if (std::memcmp(value, value_head_.data(), value_head_.size()) != 0) {
      fail("Redis has no such value");
    }
    std::memcpy(rows.data() + i, value + value_head_.size(), bytes);
  }
}

const char* RedisClient::take(size_t bytes) {
  if (end_ - begin_ < bytes && begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  while (end_ - begin_ < bytes) {
    end_ += receive_some(socket_, std::as_writable_bytes(std::span(buffer_)).subspan(end_));
  }
  const char* const taken = buffer_.data() + begin_;
  begin_ += bytes;
  return taken;
}

void RedisClient::expect(const std::string& text) {
  if (std::memcmp(take(text.size()), text.data(), text.size()) != 0) {
    fail("Redis answers something else than expected");
  }
}

}  // namespace hotrow::bench
