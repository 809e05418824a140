// Trace files: JSON whatever names are in it, bars that do not overlap in their row, a limit.
#include "net/trace_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "support/folder.h"
#include "support/status.h"

namespace hotrow::test {
namespace {

using net::TraceFile;
using nlohmann::json;
using std::chrono::microseconds;

Interval between(int begin_us, int end_us) {
  static const Interval::Point kStart = std::chrono::steady_clock::now();
  return {kStart + microseconds(begin_us), kStart + microseconds(end_us)};
}

json events_of(const std::string& path) {
  std::ifstream file(path);
  return json::parse(file);
}

TEST(TraceFile, IsJsonWhateverNamesAreInIt) {
  const Folder folder;
  const std::string path = folder / "trace.json";
  const std::string table = "quote\" back\\slash \n\x01\xff end";
  {
    const auto trace = must(TraceFile::open(path, "a \"server\""));
    const std::array<net::TracePart, 2> parts{{{"queue", between(0, 3)}, {"work", between(3, 9)}}};
    trace->add({.row = "requests",
                .name = "LOOKUP",
                .when = between(0, 10),
                .parts = parts,
                .table = table,
                .trace = 0x1234,
                .request = (uint64_t{1} << 63) | 0x12340001});
  }
  const json events = events_of(path);
  EXPECT_EQ(events[0]["args"]["name"], "a \"server\"");
  std::map<std::string, json> by_name;
  for (const json& each : events) by_name[each["name"]] = each;
  const json& lookup = by_name["LOOKUP"];
  EXPECT_EQ(lookup["ph"], "X");
  EXPECT_EQ(lookup["dur"], 10.0);
  EXPECT_EQ(lookup["args"]["trace"], "0x1234");
  EXPECT_EQ(lookup["args"]["request"], "0x8000000012340001");
  EXPECT_TRUE(lookup["args"]["table"].get<std::string>().starts_with("quote\" back\\slash \n\x01"));
  EXPECT_EQ(by_name["work"]["tid"], lookup["tid"]);
  EXPECT_NEAR(by_name["work"]["ts"].get<double>() - lookup["ts"].get<double>(), 3, 0.01);
  EXPECT_EQ(by_name["request"]["ph"], "f");
  EXPECT_EQ(by_name["request"]["id"], "0x8000000012340001");
  EXPECT_EQ(by_name["hotrow_end"]["args"]["leftOut"], 0);
  EXPECT_TRUE(by_name["hotrow_clock"]["args"].contains("aheadNs"));
}

TEST(TraceFile, GivesBarsThatOverlapLanesOfTheirOwn) {
  const Folder folder;
  const std::string path = folder / "trace.json";
  {
    const auto trace = must(TraceFile::open(path, "p"));
    const auto add = [&](std::string_view row, std::string_view name, const Interval& when) {
      trace->add({.row = row, .name = name, .when = when, .parts = {}, .table = {}});
    };
    add("a", "1", between(0, 10));
    add("a", "2", between(5, 15));
    add("a", "3", between(10, 20));
    add("b", "4", between(0, 10));
  }
  std::map<std::string, int> lanes;
  for (const json& each : events_of(path)) {
    if (each["ph"] == "X") lanes[each["name"]] = each["tid"];
  }
  EXPECT_NE(lanes["1"], lanes["2"]);
  EXPECT_EQ(lanes["1"], lanes["3"]);
  EXPECT_NE(lanes["1"], lanes["4"]);
}

TEST(TraceFile, HasALimitAndSaysWhatItLeftOut) {
  const Folder folder;
  const std::string path = folder / "trace.json";
  constexpr uint64_t kMost = 32 << 10;
  constexpr int kEvents = 1000;
  {
    const auto trace = must(TraceFile::open(path, "p", kMost));
    for (int i = 0; i < kEvents; ++i) {
      trace->add({.row = "a", .name = "n", .when = between(i, i + 1), .parts = {}, .table = {}});
    }
    EXPECT_GT(trace->left_out(), 0U);
    trace->close();
    trace->close();
    trace->add({.row = "a", .name = "late", .when = between(0, 1), .parts = {}, .table = {}});
    EXPECT_LT(trace->left_out(), kEvents + 1U);
  }
  EXPECT_LE(std::filesystem::file_size(path), kMost);
  const json events = events_of(path);
  uint64_t drawn = 0;
  for (const json& each : events) drawn += each["ph"] == "X" ? 1 : 0;
  EXPECT_GT(drawn, 100U);
  EXPECT_EQ(events.back()["args"]["leftOut"].get<uint64_t>() + drawn, kEvents);
}

TEST(TraceFile, ThatCannotBeWrittenIsNamed) {
  const Folder folder;
  const std::string path = folder / "nowhere/trace.json";
  EXPECT_TRUE(fails(TraceFile::open(path, "p"), kInvalid, "trace: '" + path + "' cannot be"));
  EXPECT_TRUE(fails(TraceFile::open(folder.path(), "p"), kInvalid, "trace: "));
}

TEST(TraceFile, IsNotTakenFromWhoWritesIt) {
  const Folder folder;
  const std::string path = folder / "trace.json";
  {
    const auto first = must(TraceFile::open(path, "p"));
    first->add({.row = "a", .name = "n", .when = between(0, 1), .parts = {}, .table = {}});
    EXPECT_TRUE(fails(TraceFile::open(path, "q"), kInvalid, "another trace is being written"));
  }
  const json events = events_of(path);
  EXPECT_EQ(events[0]["args"]["name"], "p");
  EXPECT_EQ(events.back()["args"]["leftOut"], 0);
  // What nobody writes any more is replaced.
  must(TraceFile::open(path, "q"))->close();
  EXPECT_EQ(events_of(path)[0]["args"]["name"], "q");
}

// A full disk ends the trace and nothing else.
TEST(TraceFile, OfAFullDiskIsGivenUp) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  const auto trace = must(TraceFile::open("/dev/full", "p"));
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (trace->left_out() == 0 && std::chrono::steady_clock::now() < end) {
    trace->add({.row = "a", .name = "n", .when = between(0, 0), .parts = {}, .table = {}});
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_GT(trace->left_out(), 0U);
}

}  // namespace
}  // namespace hotrow::test
