#include "options.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace hotrow::bench {

namespace {

constexpr const char* kHelp =
    "npm run bench:net -- [options]\n"
    "Times a client and a server over TCP on loopback, beside bare sockets, Redis and gRPC.\n\n"
    "  --rows N      rows of 256 bytes in the large tables (default 4194304: 1 GiB)\n"
    "  --rounds N    rounds that count (default 5)\n"
    "  --turn MIB    rows that one turn of a figure about throughput moves (default 256)\n"
    "  --calls N     calls that one turn of a figure about latency makes (default 2000)\n"
    "  --spin US     how long both sides look for work where they spin (default 200)\n"
    "  --only TEXT   only figures with TEXT in their name, as lookup or redis\n"
    "  --no-redis    without Redis\n"
    "  --help        this text\n";

[[noreturn]] void wrong(const std::string& message) {
  std::fprintf(stderr, "bench:net: %s\n", message.c_str());
  std::exit(2);
}

struct Bounds {
  uint64_t least;
  uint64_t most;
};

uint64_t number(const std::string& option, std::string_view text, Bounds bounds) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || value < bounds.least || value > bounds.most) {
    wrong(option + ": expected a number from " + std::to_string(bounds.least) + " to " +
          std::to_string(bounds.most) + ", received '" + std::string(text) + "'");
  }
  return value;
}

void set(NetSettings& settings, const std::string& option, const std::string& text) {
  const auto read = [&](Bounds bounds) {
    return static_cast<uint32_t>(number(option, text, bounds));
  };
  if (option == "--rows") {
    settings.rows = read({10'000, 1U << 31});
  } else if (option == "--rounds") {
    settings.rounds = read({1, 1000});
  } else if (option == "--turn") {
    settings.turn_mib = read({16, 1U << 20});
  } else if (option == "--calls") {
    settings.calls = read({100, 10'000'000});
  } else if (option == "--spin") {
    settings.spin_us = read({1, 1'000'000});
  } else if (option == "--only") {
    settings.only = text;
  } else {
    wrong("unknown option '" + option + "'; --help lists them");
  }
}

}  // namespace

NetSettings read_net_settings(int argc, char** argv) {
  NetSettings settings;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--help") {
      std::fputs(kHelp, stdout);
      std::exit(0);
    }
    if (option == "--no-redis") {
      settings.redis = false;
    } else if (i + 1 < argc) {
      set(settings, option, argv[++i]);
    } else {
      wrong("'" + option + "' is unknown or lacks its value; --help lists the options");
    }
  }
  return settings;
}

}  // namespace hotrow::bench
