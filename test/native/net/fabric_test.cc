// Links over shared memory: bytes come as they were sent, tickets are good once, strangers are not
// heard, and libucp leaves the process as it was.
#include "net/fabric.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/hex.h"
#include "base/random_id.h"
#include "support/child.h"
#include "support/fabric.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/status.h"

namespace hotrow::test {
namespace {

using net::FabricLink;
using Clock = std::chrono::steady_clock;
using Links = std::vector<FabricLink*>;

std::unique_ptr<FabricLink> link_of(bool direct = false) {
  return must(FabricLink::make({.transport = tested_transport(), .direct = direct}));
}

// Until it holds; false: it did not for long.
template <class Holds>
bool driven(const Links& links, const Holds& holds, std::chrono::seconds most = {}) {
  const auto end = Clock::now() + (most.count() > 0 ? most : std::chrono::seconds(30));
  while (!holds()) {
    for (FabricLink* link : links) (void)link->progress();
    if (Clock::now() > end) return false;
  }
  return true;
}
// For what must not happen.
void drive_a_while(const Links& links) {
  EXPECT_FALSE(driven(links, [] { return false; }, std::chrono::seconds(1)));
}

struct Pair {
  explicit Pair(bool direct = false) : server(link_of()), client(link_of(direct)) {
    server->expect(ticket);
    must(client->ask(server->address(), ticket));
    if (!driven(both(), [&] { return server->open() && client->open(); })) {
      throw std::runtime_error("a link does not open");
    }
  }
  Links both() const { return {server.get(), client.get()}; }

  std::string ticket = random_id();
  std::unique_ptr<FabricLink> server;
  std::unique_ptr<FabricLink> client;
};

AlignedBuffer filled(Random& random, size_t bytes) {
  AlignedBuffer buffer(bytes);
  uint64_t value = random.below(UINT64_MAX);
  for (size_t i = 0; i < bytes; ++i) {
    if (i % 64 == 0) value = value * 6364136223846793005U + 1442695040888963407U;
    buffer.data()[i] = static_cast<std::byte>(value >> (i % 8 * 8));
  }
  return buffer;
}

void expect_stream(FabricLink& from, FabricLink& to, Random& random, const Links& links) {
  std::vector<std::byte> sent;
  std::vector<std::byte> came;
  std::vector<std::byte> space(6 << 20);
  const auto read = [&] {
    // Where a large piece is being fetched stays the same until it has come.
    static size_t first = 0;
    if (!to.fetching()) first = 1 + random.below(random.one_in(2) ? space.size() - 1 : 5000);
    const size_t second = space.size() - first > 100 ? 100 : 0;
    const auto got =
        must(to.receive(std::span(space).first(first), std::span(space).subspan(first, second)));
    came.insert(came.end(), space.begin(), space.begin() + static_cast<ptrdiff_t>(got));
  };
  for (uint64_t i = 0; i < scaled(150); ++i) {
    const size_t bytes = random.one_in(8) ? 1 + random.below(5 << 20) : 1 + random.below(20'000);
    AlignedBuffer frame = filled(random, bytes);
    sent.insert(sent.end(), frame.data(), frame.data() + bytes);
    from.send(std::move(frame), random.below(bytes + 1));
    if (random.one_in(3)) continue;
    for (FabricLink* link : links) (void)link->progress();
    read();
  }
  const bool all = driven(links, [&] {
    read();
    return came.size() >= sent.size();
  });
  EXPECT_TRUE(all) << came.size() << " of " << sent.size();
  EXPECT_TRUE(came == sent);
  EXPECT_TRUE(driven(links, [&] { return from.queued_bytes() == 0; }));
}

// Else a machine on which shared memory has stopped to work would skip every test of it.
TEST(Fabric, IsThereWhereItsLibraryIs) {
#ifdef HOTROW_TSAN
  GTEST_SKIP() << why_no_fabric();
#endif
  const auto link = FabricLink::make({.transport = Transport::kShm});
  if (link.ok()) return;
  const std::string& why = link.status().message();
  for (const char* absent :
       {"cannot open shared object file", "made without its headers", "this build knows"}) {
    if (why.find(absent) != std::string::npos) GTEST_SKIP() << why;
  }
  FAIL() << why;
}

TEST(Fabric, WhatIsGivenUpFailsAndGoesAtOnceWithNothingUnderWay) {
  HOTROW_NEEDS_FABRIC();
  const Pair pair;
  pair.server->send(AlignedBuffer(1 << 20), 64);
  EXPECT_TRUE(driven(pair.both(), [&] { return pair.client->readable(); }));
  EXPECT_TRUE(driven({}, [&] { return pair.client->settle(); }));
  EXPECT_TRUE(fails(pair.client->failed(), StatusCode::kUnavailable));
  EXPECT_FALSE(pair.client->at_hand());
}

TEST(Fabric, BytesComeAsTheyWereSent) {
  HOTROW_NEEDS_FABRIC();
  Random random(41);
  for (const bool direct : {false, true}) {
    const Pair pair(direct);
    expect_stream(*pair.client, *pair.server, random, pair.both());
    expect_stream(*pair.server, *pair.client, random, pair.both());
  }
}

TEST(Fabric, WhatIsNotReadIsNotSentWithoutEnd) {
  HOTROW_NEEDS_FABRIC();
  const Pair pair;
  Random random(42);
  const uint64_t frames = 10 * FabricLink::kWindow;
  for (uint64_t i = 0; i < frames; ++i) pair.client->send(filled(random, 100), 0);
  drive_a_while(pair.both());
  EXPECT_GE(pair.client->queued_bytes(), (frames - FabricLink::kWindow) * 100);
  ASSERT_TRUE(ok(pair.client->failed()));
  std::vector<std::byte> space(4096);
  uint64_t came = 0;
  EXPECT_TRUE(driven(pair.both(), [&] {
    came += must(pair.server->receive(space, {}));
    return came == frames * 100;
  }));
}

// Of what came before it was armed Soft-RoCE does not tell.
TEST(Fabric, WhatComesJustBeforeItIsArmedIsNotSleptOver) {
  HOTROW_NEEDS_FABRIC();
  const Pair pair;
  Random random(46);
  std::vector<std::byte> space(4096);
  pair.client->send(filled(random, 100), 0);
  EXPECT_TRUE(driven(pair.both(), [&] { return must(pair.server->receive(space, {})) == 100; }));
  // Takes the news of the first message, and may not be armed then.
  (void)pair.server->arm();
  pair.client->send(filled(random, 200), 0);
  drive_a_while({pair.client.get()});
  pollfd woken{.fd = pair.server->wake_fd(), .events = POLLIN, .revents = 0};
  EXPECT_TRUE(!pair.server->arm() || ::poll(&woken, 1, 5000) == 1);
  EXPECT_TRUE(driven(pair.both(), [&] { return must(pair.server->receive(space, {})) == 200; }));
}

TEST(Fabric, ATicketIsGoodOnceAndAGuessedOneNever) {
  HOTROW_NEEDS_FABRIC();
  const auto server = link_of();
  const std::string ticket = random_id();
  server->expect(ticket);
  // A guess; one that differs in the last digit; none at all; one too short.
  std::string close = ticket;
  close.back() = close.back() == '0' ? '1' : '0';
  uint64_t refused = 0;
  for (const std::string& guess : {random_id(), close, std::string(), ticket.substr(0, 31)}) {
    const auto stranger = link_of();
    must(stranger->ask(server->address(), guess));
    ++refused;
    EXPECT_TRUE(driven({server.get(), stranger.get()}, [&] {
      return server->refused() == refused;
    })) << guess;
    EXPECT_FALSE(server->open());
    EXPECT_FALSE(stranger->open());
  }
  const auto client = link_of();
  must(client->ask(server->address(), ticket));
  EXPECT_TRUE(
      driven({server.get(), client.get()}, [&] { return server->open() && client->open(); }));
  // Used: whoever has seen it is too late.
  const auto thief = link_of();
  must(thief->ask(server->address(), ticket));
  EXPECT_TRUE(driven({server.get(), client.get(), thief.get()},
                     [&] { return server->refused() == refused + 1; }));
  drive_a_while({server.get(), thief.get()});
  EXPECT_FALSE(thief->open());
  Random random(43);
  expect_stream(*client, *server, random, {server.get(), client.get()});
}

TEST(Fabric, OfAServerThatExpectsNobodyNobodyGetsAStream) {
  HOTROW_NEEDS_FABRIC();
  const auto server = link_of();
  const auto stranger = link_of();
  must(stranger->ask(server->address(), random_id()));
  EXPECT_TRUE(driven({server.get(), stranger.get()}, [&] { return server->refused() == 1; }));
  EXPECT_FALSE(server->open() || stranger->open());
}

TEST(Fabric, ALinkThatGoesInTheMiddleOfMuchDoesTheOtherNoHarm) {
  HOTROW_NEEDS_FABRIC();
  Random random(44);
  for (uint64_t round = 0; round < scaled(12); ++round) {
    Pair pair(true);
    std::vector<std::byte> space(6 << 20);
    for (int i = 0; i < 4; ++i) pair.server->send(filled(random, 3 << 20), 64);
    for (uint64_t i = random.below(20); i > 0; --i) {
      for (FabricLink* link : pair.both()) (void)link->progress();
      (void)pair.client->receive(space, {});
    }
    (round % 2 == 0 ? pair.server : pair.client).reset();
    FabricLink& left = round % 2 == 0 ? *pair.client : *pair.server;
    for (int i = 0; i < 100; ++i) {
      (void)left.progress();
      if (round % 2 == 0) (void)left.receive(space, {});
    }
  }
}

TEST(Fabric, HexadecimalDigitsAreReadBack) {
  const std::string bytes("\0\x7f\xff 1", 5);
  EXPECT_EQ(to_hex(bytes), "007fff2031");
  EXPECT_EQ(from_hex(to_hex(bytes)), bytes);
  for (const char* wrong : {"0", "0g", "0G", " 0"}) EXPECT_EQ(from_hex(wrong), "");
}

// The instructions of the functions that libucm rewrites, and the handlers of signals.
std::string state_of_process() {
  constexpr int kRestorer = 0x04000000;  // set by the C library itself
  std::string state;
  for (const char* name :
       {"mmap", "munmap", "mremap", "shmat", "shmdt", "sbrk", "brk", "madvise"}) {
    const void* const function = ::dlsym(RTLD_DEFAULT, name);
    if (function == nullptr) continue;
    state += " " + std::string(name) + " " + to_hex({static_cast<const char*>(function), 16});
  }
  for (int signal = 1; signal < 32; ++signal) {
    struct sigaction now{};
    ::sigaction(signal, nullptr, &now);
    state += " signal " + std::to_string(signal) + " " +
             std::to_string(reinterpret_cast<uintptr_t>(now.sa_sigaction)) + "/" +
             std::to_string(now.sa_flags & ~kRestorer);
  }
  return state;
}

// In a process of its own, where nothing has loaded the library yet.
TEST(FabricProcess, DISABLED_IsLeftAsItWas) {
  struct sigaction mine{};
  mine.sa_sigaction = [](int, siginfo_t*, void*) {};
  mine.sa_flags = SA_SIGINFO;
  ::sigaction(SIGHUP, &mine, nullptr);
  ASSERT_EQ(::dlopen("libucp.so.0", RTLD_NOW | RTLD_NOLOAD), nullptr);
  const std::string before = state_of_process();
  {
    Pair pair(true);
    Random random(45);
    expect_stream(*pair.server, *pair.client, random, pair.both());
  }
  EXPECT_NE(::dlopen("libucp.so.0", RTLD_NOW | RTLD_NOLOAD), nullptr);
  EXPECT_EQ(state_of_process(), before);
}

TEST(Fabric, LeavesSignalsAndMemoryFunctionsAsTheyWere) {
  HOTROW_NEEDS_FABRIC();
  Child child("FabricProcess.DISABLED_IsLeftAsItWas", {});
  EXPECT_EQ(child.wait(), 0);
}

}  // namespace
}  // namespace hotrow::test
