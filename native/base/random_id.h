// Names that nobody else has, and nobody can guess.
#ifndef HOTROW_BASE_RANDOM_ID_H_
#define HOTROW_BASE_RANDOM_ID_H_

#include <string>

namespace hotrow {

/// 32 hexadecimal digits.
std::string random_id();

}  // namespace hotrow

#endif  // HOTROW_BASE_RANDOM_ID_H_
