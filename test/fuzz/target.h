// What is fuzzed: each target reads any bytes and looks whether what must hold does. The same
// targets run under libFuzzer, which searches (scripts/fuzz.mjs), and over stored inputs and their
// mutations in every test run (replay_test.cc).
#ifndef HOTROW_TEST_FUZZ_TARGET_H_
#define HOTROW_TEST_FUZZ_TARGET_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hotrow::fuzz {

using Input = std::vector<uint8_t>;

struct Target {
  const char* name;
  /// Ends the process, as a sanitizer does, when something does not hold.
  void (*run)(std::span<const uint8_t> input);
  /// Inputs that are as they should be: what a search begins with.
  std::vector<Input> (*seeds)();
  /// Mutations in a run of CI.
  uint64_t mutations;
};

extern const Target kFrames;
extern const Target kMessages;
extern const Target kSessions;
extern const Target kSlotMaps;
extern const Target kTexts;
extern const Target kClocks;

std::vector<const Target*> targets();

/// An input as bytes of text.
inline Input input_of(std::string_view text) { return {text.begin(), text.end()}; }
inline std::string_view text_of(std::span<const uint8_t> input) {
  return {reinterpret_cast<const char*>(input.data()), input.size()};
}

/// What is being run, where that is known: it is printed as a line for the kept inputs.
inline std::span<const uint8_t> current;

/// What must hold whatever comes.
inline void must_hold(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: does not hold: %s\nhex:", what);
  for (const uint8_t byte : current) std::fprintf(stderr, "%02x", byte);
  std::fprintf(stderr, "\n");
  std::abort();
}

}  // namespace hotrow::fuzz

#endif  // HOTROW_TEST_FUZZ_TARGET_H_
