// Inputs that are kept: test/fuzz/seeds/TARGET.txt, one a line, as text where they are text of one
// line that does not begin with "hex:", else as hexadecimal digits behind that. Each was found by a
// search, because it reached what no other did, or because something did not hold.
#ifndef HOTROW_TEST_FUZZ_CORPUS_H_
#define HOTROW_TEST_FUZZ_CORPUS_H_

#include <string>
#include <vector>

#include "test/fuzz/target.h"

namespace hotrow::fuzz {

/// Those that the target makes, then those of the folder's file.
std::vector<Input> inputs_of(const Target& target, const std::string& folder);

}  // namespace hotrow::fuzz

#endif  // HOTROW_TEST_FUZZ_CORPUS_H_
