#include "test/fuzz/corpus.h"

#include <fstream>
#include <string_view>

namespace hotrow::fuzz {

namespace {

constexpr std::string_view kHex = "hex:";

uint8_t digit(char c) { return static_cast<uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10); }

Input input_of_line(std::string_view line) {
  if (!line.starts_with(kHex)) return input_of(line);
  line.remove_prefix(kHex.size());
  Input input;
  for (size_t i = 0; i + 1 < line.size(); i += 2) {
    input.push_back(static_cast<uint8_t>(digit(line[i]) << 4 | digit(line[i + 1])));
  }
  return input;
}

}  // namespace

std::vector<const Target*> targets() {
  return {&kFrames, &kMessages, &kSessions, &kSlotMaps, &kTexts, &kClocks};
}

std::vector<Input> inputs_of(const Target& target, const std::string& folder) {
  std::vector<Input> inputs = target.seeds();
  std::ifstream file(folder + "/" + target.name + ".txt");
  for (std::string line; std::getline(file, line);) inputs.push_back(input_of_line(line));
  return inputs;
}

}  // namespace hotrow::fuzz
