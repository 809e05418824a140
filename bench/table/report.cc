#include "report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

#include "aims.h"
#include "machine.h"

namespace hotrow::bench {

namespace {

constexpr const char* kOurs = "hotrow";
constexpr const char* kBestPeer = "best peer";

bool is_limit(const std::string& name) { return name == "raw" || name == "bytes floor"; }

std::string digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

const Samples* sample_of(const std::vector<Samples>& samples, const std::string& name,
                         uint32_t threads) {
  for (const Samples& each : samples) {
    if (each.name == name && each.threads == threads) return &each;
  }
  return nullptr;
}

std::string json_of(const Result& result) {
  std::string text = "    { \"name\": " + quoted(result.name) + ", \"params\": {";
  const char* comma = "";
  for (const auto& [name, value] : result.params) {
    text += comma + (" " + quoted(name)) + ": " + value;
    comma = ",";
  }
  text += " }, \"value\": " + digits(result.value) + ", \"unit\": " + quoted(result.unit);
  text += ", \"ratios\": {";
  comma = "";
  for (const auto& [name, ratio] : result.ratios) {
    text += comma + (" " + quoted(name)) + ": " + digits(ratio);
    comma = ",";
  }
  return text + " } }";
}

/// The ratios of the others' medians to ours, "best peer" among them where there is one.
std::map<std::string, double> ratios_to(const Samples& ours, const std::vector<Samples>& all) {
  std::map<std::string, double> ratios;
  for (const Samples& other : all) {
    if (other.threads != ours.threads || &other == &ours) continue;
    const double ratio = other.median() / ours.median();
    ratios[other.name] = ratio;
    if (is_limit(other.name)) continue;
    const auto best = ratios.find(kBestPeer);
    ratios[kBestPeer] = best == ratios.end() ? ratio : std::min(best->second, ratio);
  }
  return ratios;
}

}  // namespace

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) out += c;
  }
  return out + "\"";
}

Params common_params(uint64_t rows, uint32_t dim, uint32_t rounds) {
  return {{"rows", std::to_string(rows)},
          {"dim", std::to_string(dim)},
          {"rounds", std::to_string(rounds)}};
}

bool Report::wants(const std::string& name) const {
  if (settings_.only.empty() || name.find(settings_.only) != std::string::npos) return true;
  return std::any_of(settings_.threads.begin(), settings_.threads.end(), [&](uint32_t threads) {
    const std::string whole = name + "/" + std::to_string(threads) + "t";
    return whole.find(settings_.only) != std::string::npos;
  });
}

void Report::add_race(const std::string& name, const Params& params,
                      const std::vector<Samples>& samples) {
  for (const Samples& each : samples) {
    const std::string suffix = "/" + std::to_string(each.threads) + "t";
    const bool ours = each.name == kOurs;
    Result result{ours ? name + suffix : each.name + "/" + name + suffix,
                  params,
                  each.median(),
                  "ns/key",
                  {}};
    result.params.emplace_back("threads", std::to_string(each.threads));
    result.params.emplace_back("lowest", digits(each.lowest()));
    result.params.emplace_back("highest", digits(each.highest()));
    const Samples* const hotrow = sample_of(samples, kOurs, each.threads);
    std::string against;
    if (ours) {
      result.ratios = ratios_to(each, samples);
    } else if (hotrow != nullptr) {
      char text[64];
      std::snprintf(text, sizeof text, "   / hotrow %.2f", each.median() / hotrow->median());
      against = text;
    }
    std::printf("  %-52s %8.1f ns/key  (%.1f to %.1f)%s\n", result.name.c_str(), each.median(),
                each.lowest(), each.highest(), against.c_str());
    results_.push_back(std::move(result));
  }
  std::fflush(stdout);
}

void Report::add_scaling(const std::string& name, const Params& params,
                         const std::vector<Samples>& samples) {
  std::set<std::string> names;
  for (const Samples& each : samples) {
    const Samples* const one = sample_of(samples, each.name, 1);
    const Samples* const two = sample_of(samples, each.name, 2);
    if (one == nullptr || two == nullptr || !names.insert(each.name).second) continue;
    const double gain = one->median() / two->median();
    const std::string whole = each.name == kOurs ? name : each.name + "/" + name;
    add({whole, params, gain, "x", {{"1 thread", gain}}});
  }
}

void Report::add(Result result) {
  std::printf("  %-52s %8.2f %s\n", result.name.c_str(), result.value, result.unit.c_str());
  std::fflush(stdout);
  results_.push_back(std::move(result));
}

void Report::note(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

const Result* Report::find(const std::string& name) const {
  for (const Result& result : results_) {
    if (result.name == name) return &result;
  }
  return nullptr;
}

void Report::print_aims() const {
  std::printf("\n%-66s %8s %8s %9s\n", "aim", "reach", "beyond", "measured");
  for (const Aim& aim : kAims) {
    const Result* const result = find(aim.figure);
    if (result == nullptr) continue;
    const auto ratio = result->ratios.find(aim.against);
    const bool by_value = aim.at_most;
    if (!by_value && ratio == result->ratios.end()) continue;
    const double measured = by_value ? result->value : ratio->second;
    const auto meets = [&](double target) {
      return aim.at_most ? measured <= target : measured >= target;
    };
    const std::string name =
        std::string(aim.figure) + (by_value ? " at most" : std::string(" : ") + aim.against);
    const char* const verdict = meets(aim.beyond)  ? "beyond"
                                : meets(aim.reach) ? "reached"
                                                   : "NOT reached";
    std::printf("%-66s %8.2f %8.2f %9.2f  %s\n", name.c_str(), aim.reach, aim.beyond, measured,
                verdict);
  }
}

bool Report::write_json() const {
  std::FILE* const file = std::fopen(settings_.json.c_str(), "w");
  if (file == nullptr) return false;
  const std::string commit = commit_name();
  std::fprintf(file, "{\n  \"commit\": %s,\n  \"machine\": %s,\n  \"results\": [\n",
               commit.empty() ? "null" : quoted(commit).c_str(), quoted(machine_words()).c_str());
  for (size_t i = 0; i < results_.size(); ++i) {
    std::fprintf(file, "%s%s\n", json_of(results_[i]).c_str(), i + 1 < results_.size() ? "," : "");
  }
  std::fputs("  ]\n}\n", file);
  return std::fclose(file) == 0;
}

}  // namespace hotrow::bench
