// Seeing it: every request's stages in the figures of client and server, by verb and table, and in
// traces that belong together.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "hotrow/connect.h"
#include "hotrow/server.h"
#include "net/listener.h"
#include "server/session.h"
#include "support/comes_true.h"
#include "support/folder.h"
#include "support/stores.h"
#include "wire/reader.h"

namespace hotrow::test {
namespace {

using nlohmann::json;

std::shared_ptr<Store> client_of(const std::vector<std::string>& servers, std::string trace = {}) {
  return must(connect({.servers = servers, .trace = std::move(trace)}));
}

// Those of a verb and table; null: there are none.
const RequestTimes* find(const std::vector<RequestTimes>& all, std::string_view verb,
                         std::string_view table = {}) {
  for (const RequestTimes& its : all) {
    if (its.verb == verb && its.table == table) return &its;
  }
  return nullptr;
}

std::map<std::string, uint64_t> counts(const RequestTimes* times) {
  std::map<std::string, uint64_t> all;
  if (times == nullptr) return all;
  for (const StageTime& each : times->stages) all[each.stage] = each.time.count;
  return all;
}

using Counts = std::map<std::string, uint64_t>;

TEST(Sight, ClientAndServerTimeEveryStage) {
  const auto store = private_store();
  const auto server = must(Server::start(store, {}));
  const auto remote = client_of({server->address()});
  const auto user = must(remote->table("user", {.dim = 2}));
  const auto item = must(remote->table("item", {.dim = 2}));
  const std::vector<uint64_t> keys{1, 2, 3};
  const std::vector<float> gradients(6, 1.0F);
  for (int i = 0; i < 5; ++i) must(user->push(keys, gradients, {}));
  for (int i = 0; i < 3; ++i) (void)lookup(*user, keys);
  (void)lookup(*item, keys);
  std::vector<float> out(12);
  // A request that names several tables counts for its verb alone.
  const std::vector<TableLookup> both{
      {.table = user.get(), .keys = keys, .rows = std::span(out).first(6)},
      {.table = item.get(), .keys = keys, .rows = std::span(out).last(6)}};
  must(remote->lookup_all(both));

  const StoreStats stats = must(remote->stats());
  ASSERT_TRUE(stats.remote.has_value());
  const auto& mine = stats.remote->latency;
  EXPECT_EQ(counts(find(mine, "PUSH", "user")),
            (Counts{{"encode", 5}, {"send", 5}, {"wait", 5}, {"decode", 5}}));
  EXPECT_EQ(counts(find(mine, "LOOKUP"))["wait"], 5U);
  EXPECT_EQ(counts(find(mine, "LOOKUP", "user"))["wait"], 3U);
  EXPECT_EQ(counts(find(mine, "LOOKUP", "item"))["wait"], 1U);
  EXPECT_GT(counts(find(mine, "CALL"))["wait"], 1U);
  EXPECT_GT(find(mine, "LOOKUP")->stages[2].time.mean_ns, 0);

  ASSERT_EQ(stats.remote->servers.size(), 1U);
  const ServerFigures& its = stats.remote->servers.front();
  EXPECT_EQ(its.server, server->address());
  EXPECT_EQ(its.connections, 1U);
  EXPECT_EQ(its.failures, 0U);
  const Counts five{{"queue", 5}, {"decode", 5}, {"work", 5}, {"encode", 5}, {"send", 5}};
  EXPECT_EQ(counts(find(its.latency, "PUSH")), five);
  EXPECT_EQ(counts(find(its.latency, "LOOKUP")), five);
  EXPECT_EQ(counts(find(its.latency, "LOOKUP", "user"))["work"], 3U);
  EXPECT_GT(find(its.latency, "PUSH", "user")->stages[2].time.mean_ns, 0);
  // Making the text of a call is part of its work.
  EXPECT_EQ(counts(find(its.latency, "CALL"))["encode"], 0U);
  EXPECT_GT(counts(find(its.latency, "CALL"))["queue"], 1U);
  // In its own process a server says the same, and a store in a process has no way to anybody.
  EXPECT_EQ(counts(find(server->stats().latency, "LOOKUP")), five);
  EXPECT_FALSE(must(store->stats()).remote.has_value());
}

TEST(Sight, AFailedRequestIsTimedToo) {
  const auto server = must(Server::start(private_store(), {}));
  const auto remote = client_of({server->address()});
  const auto table = must(remote->table("t", {.dim = 1}));
  const std::vector<uint64_t> keys{1};
  const std::vector<float> nan{kNan};
  EXPECT_TRUE(fails(table->push(keys, nan, {}), kInvalid));
  EXPECT_EQ(counts(find(server->stats().latency, "PUSH", "t"))["work"], 1U);
  EXPECT_EQ(counts(find(must(remote->stats()).remote->latency, "PUSH", "t"))["decode"], 1U);
}

// Answers as a server of before there was the call.
class Older final : public net::Handler {
 public:
  explicit Older(net::Connection& connection) : connection_(connection) {}
  std::span<std::byte> space() override { return reader_.space(); }
  bool waiting() const override { return reader_.ready(); }
  bool overdue(std::chrono::steady_clock::time_point) override { return false; }
  bool received(size_t bytes) override {
    must(reader_.advance(bytes));
    for (; reader_.ready(); must(reader_.next())) answer();
    return true;
  }

 private:
  void answer() {
    const wire::FrameHeader& request = reader_.header();
    wire::Message message;
    must(message.read(request, reader_.body()));
    std::string text;
    if (request.verb == wire::Verb::kHello) {
      text = R"({"session":"s","run":"r","mostBodyBytes":67108864})";
    } else if (message.text().find("\"stats\"") != std::string_view::npos) {
      text = R"({"rows":7})";
    } else {
      return connection_.send(server::failure(request, Status(StatusCode::kUnsupported, "what?")));
    }
    connection_.send(wire::text_frame(server::reply_to(request, {}), text));
  }

  net::Connection& connection_;
  wire::FrameReader reader_;
};

TEST(Sight, AnOlderServerHasNoFiguresAndTakesTracedRequests) {
  const Folder folder;
  const auto older =
      must(net::Listener::open({.address = {.host = "127.0.0.1"}}, [](net::Connection& connection) {
        return std::make_unique<Older>(connection);
      }));
  const auto remote = client_of({older->address().to_string()}, folder / "trace.json");
  const StoreStats stats = must(remote->stats());
  EXPECT_EQ(stats.rows, 7U);
  ASSERT_EQ(stats.remote->servers.size(), 1U);
  EXPECT_TRUE(stats.remote->servers.front().latency.empty());
  EXPECT_GT(counts(find(stats.remote->latency, "CALL"))["wait"], 0U);
}

struct Bar {
  std::string name;
  double begin = 0;
  double end = 0;
  json args;
  int lane = 0;
};

std::vector<Bar> bars_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<Bar> bars;
  for (const json& each : json::parse(file)) {
    if (each["ph"] != "X") continue;
    const double begin = each["ts"];
    bars.push_back(
        {each["name"], begin, begin + each["dur"].get<double>(), each["args"], each["tid"]});
  }
  return bars;
}

// Bars of a lane are one within another or one after the other.
void expect_nested(const std::vector<Bar>& bars) {
  constexpr double kRounding = 0.002;
  for (const Bar& a : bars) {
    for (const Bar& b : bars) {
      if (a.lane != b.lane || a.begin > b.begin) continue;
      const bool apart = b.begin >= a.end - kRounding;
      const bool within = b.end <= a.end + kRounding || a.begin >= b.begin;
      EXPECT_TRUE(apart || within) << a.name << " and " << b.name << " overlap";
    }
  }
}

std::map<std::string, Bar> by_request(const std::vector<Bar>& bars) {
  std::map<std::string, Bar> all;
  for (const Bar& bar : bars) {
    if (bar.args.contains("request")) all[bar.args["request"]] = bar;
  }
  return all;
}

TEST(Sight, TracesOfClientAndServersBelongTogether) {
  const Folder folder;
  const std::string mine = folder / "client.json";
  const std::vector<std::string> theirs{folder / "a.json", folder / "b.json"};
  {
    const auto a = must(Server::start(private_store(), {.trace = theirs[0]}));
    const auto b = must(Server::start(private_store(), {.trace = theirs[1]}));
    const auto remote = client_of({a->address(), b->address()}, mine);
    const auto table = must(remote->table("t \"1\"", {.dim = 4}));
    std::vector<uint64_t> keys(1000);
    for (size_t i = 0; i < keys.size(); ++i) keys[i] = i;
    must(table->push(keys, std::vector<float>(4000, 1.0F), {}));
    // Bits of several servers are put together: a phase of its own.
    std::vector<float> rows(4000);
    std::vector<uint8_t> found(125);
    must(table->lookup(keys, rows, {.found = found}));
    remote->close();
  }
  const auto client = bars_of(mine);
  expect_nested(client);
  std::set<std::string> names;
  const Bar* lookup_call = nullptr;
  for (const Bar& bar : client) {
    names.insert(bar.name);
    if (bar.name == "lookup") lookup_call = &bar;
  }
  for (const char* name : {"split", "wait", "join", "encode", "send", "decode", "LOOKUP", "PUSH"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
  ASSERT_NE(lookup_call, nullptr);
  EXPECT_EQ(lookup_call->args["table"], "t \"1\"");
  const auto asked = by_request(client);
  size_t lookups = 0;
  for (const std::string& path : theirs) {
    const auto server = bars_of(path);
    expect_nested(server);
    const auto answered = by_request(server);
    EXPECT_FALSE(answered.empty());
    for (const auto& [request, bar] : answered) {
      ASSERT_TRUE(asked.contains(request)) << request;
      const Bar& asking = asked.at(request);
      EXPECT_EQ(asking.name, bar.name);
      EXPECT_EQ(asking.args["trace"], bar.args["trace"]);
      // One clock: what is answered has been asked before, and what has come has been made.
      EXPECT_LE(asking.begin, bar.begin + 0.002);
      EXPECT_LE(bar.begin, asking.end);
      if (bar.name == "LOOKUP" && bar.args["trace"] == lookup_call->args["trace"]) ++lookups;
    }
  }
  EXPECT_EQ(lookups, 2U) << "one to each server, of the one call";
}

TEST(Sight, ATraceThatCannotBeWrittenIsNamedAtTheStart) {
  const Folder folder;
  const std::string nowhere = folder / "nowhere/trace.json";
  EXPECT_TRUE(fails(Server::start(private_store(), {.trace = nowhere}), kInvalid, "trace: '"));
  const auto server = must(Server::start(private_store(), {}));
  EXPECT_TRUE(
      fails(connect({.servers = {server->address()}, .trace = nowhere}), kInvalid, "trace: '"));
}

}  // namespace
}  // namespace hotrow::test
