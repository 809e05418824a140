#include "options.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>

namespace hotrow::bench {

namespace {

constexpr const char* kHelp =
    "hotrow_bench_gpu roofline | table | cpu | misses | steps [options]\n"
    "Times the cache on a device beside its limits; the CSV goes to stdout, words to stderr.\n\n"
    "  --device N|host   which device; host: the CPU checks tiny sizes of everything (default 0)\n"
    "  --pool-gib G      rows on the device (default 8)\n"
    "  --dims N,N        dims, of 16, 32, 64, 128 (default all)\n"
    "  --repeats N       timed repeats of a point (default 50)\n"
    "  --threads N       threads of the CPU (default all)\n"
    "  --only TEXT       only operations with TEXT in their name\n"
    "  --time-limit-s S  leaves out what is left after S seconds, and says so\n"
    "  --csv FILE        appends the CSV there, not to stdout\n"
    "  --commit NAME     what to call the build in the CSV\n"
    "  --help            this text\n";

[[noreturn]] void wrong(const std::string& message) {
  std::fprintf(stderr, "hotrow_bench_gpu: %s\n", message.c_str());
  std::exit(2);
}

double number(const std::string& option, const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value >= 0) || value > 1e9) {
    wrong(option + ": expected a number, received '" + text + "'");
  }
  return value;
}

std::vector<uint32_t> dims_of(const std::string& text) {
  std::vector<uint32_t> dims;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    const auto dim = static_cast<uint32_t>(number("--dims", text.substr(at, comma - at)));
    if (dim != 16 && dim != 32 && dim != 64 && dim != 128) {
      wrong("--dims: expected some of 16, 32, 64, 128");
    }
    dims.push_back(dim);
    at = comma + 1;
  }
  return dims;
}

void set(Settings& settings, const std::string& option, const std::string& text) {
  if (option == "--device") {
    settings.host = text == "host";
    if (!settings.host) settings.device = static_cast<int>(number(option, text));
  } else if (option == "--pool-gib") {
    settings.pool_gib = number(option, text);
  } else if (option == "--dims") {
    settings.dims = dims_of(text);
  } else if (option == "--repeats") {
    settings.repeats = std::max(1U, static_cast<uint32_t>(number(option, text)));
  } else if (option == "--threads") {
    settings.threads = static_cast<uint32_t>(number(option, text));
  } else if (option == "--only") {
    settings.only = text;
  } else if (option == "--time-limit-s") {
    settings.time_limit_s = number(option, text);
  } else if (option == "--csv") {
    settings.csv = text;
  } else if (option == "--commit") {
    settings.commit = text;
  } else {
    wrong("unknown option '" + option + "'; --help lists them");
  }
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  char text[32] = {};
  std::strftime(text, sizeof text, "%Y-%m-%d", std::gmtime(&now));
  return text;
}

}  // namespace

Settings read_settings(int argc, char** argv) {
  Settings settings;
  settings.date = today();
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--help") {
      std::fputs(kHelp, stdout);
      std::exit(0);
    }
    if (!option.starts_with("--")) {
      settings.command = option;
    } else if (i + 1 < argc) {
      set(settings, option, argv[++i]);
    } else {
      wrong("'" + option + "' lacks its value");
    }
  }
  const std::string& command = settings.command;
  if (command != "roofline" && command != "table" && command != "cpu" && command != "misses" &&
      command != "steps") {
    wrong("expected roofline, table, cpu, misses or steps; --help says more");
  }
  if (settings.threads == 0) settings.threads = std::max(1U, std::thread::hardware_concurrency());
  return settings;
}

}  // namespace hotrow::bench
