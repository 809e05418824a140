#include "options.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace hotrow::bench {

namespace {

constexpr const char* kHelp =
    "npm run bench:table -- [options]\n"
    "Times the C++ table beside its limits and other hash maps, in one process.\n\n"
    "  --rows N        rows in the table (default 16777216)\n"
    "  --dims N,N      dims of the lookups, of 16, 32, 64, 128 (default all)\n"
    "  --threads N,N   thread counts (default 1,2)\n"
    "  --peers A,B     of tbb, cuckoo, boost, absl, std; none for limits only (default all)\n"
    "  --only TEXT     only figures with TEXT in their name, as lookup/dim64\n"
    "  --rounds N      rounds that count (default 5)\n"
    "  --memory GIB    most memory to use; larger figures take fewer rows (default 18)\n"
    "  --json FILE     write the results there as JSON\n"
    "  --help          this text\n";

[[noreturn]] void wrong(const std::string& message) {
  std::fprintf(stderr, "bench:table: %s\n", message.c_str());
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

std::vector<uint32_t> numbers(const std::string& option, std::string_view text, Bounds bounds) {
  std::vector<uint32_t> values;
  for (;;) {
    const size_t comma = text.find(',');
    values.push_back(static_cast<uint32_t>(number(option, text.substr(0, comma), bounds)));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

void set(Settings& settings, const std::string& option, const std::string& text) {
  if (option == "--rows") {
    settings.rows = number(option, text, {10'000, uint64_t{1} << 31});
  } else if (option == "--dims") {
    settings.dims = numbers(option, text, {16, 128});
    for (const uint32_t dim : settings.dims) {
      if ((dim & (dim - 1)) != 0) wrong("--dims: expected some of 16, 32, 64, 128");
    }
  } else if (option == "--threads") {
    settings.threads = numbers(option, text, {1, 64});
  } else if (option == "--rounds") {
    settings.rounds = static_cast<uint32_t>(number(option, text, {1, 1000}));
  } else if (option == "--memory") {
    settings.memory_gib = number(option, text, {1, 4096});
  } else if (option == "--peers") {
    settings.peers = text;
  } else if (option == "--only") {
    settings.only = text;
  } else if (option == "--json") {
    settings.json = text;
  } else {
    wrong("unknown option '" + option + "'; --help lists them");
  }
}

}  // namespace

uint32_t Settings::most_threads() const { return threads.back(); }

bool Settings::has_peer(const std::string& name) const {
  return peers == "all" || ("," + peers + ",").find("," + name + ",") != std::string::npos;
}

Settings read_settings(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i < argc; ++i) {
    std::string option = argv[i];
    if (option == "--help") {
      std::fputs(kHelp, stdout);
      std::exit(0);
    }
    const size_t equals = option.find('=');
    if (equals != std::string::npos) {
      set(settings, option.substr(0, equals), option.substr(equals + 1));
    } else if (i + 1 < argc) {
      set(settings, option, argv[++i]);
    } else {
      wrong("'" + option + "' is unknown or lacks its value; --help lists the options");
    }
  }
  return settings;
}

}  // namespace hotrow::bench
