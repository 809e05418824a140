#include "store/groups.h"

#include <string>

#include "base/check.h"
#include "hotrow/keys.h"

namespace hotrow {

namespace {

std::string name_of(size_t index) { return "groups[" + std::to_string(index) + "]"; }

Status validate_slots(const OptimizerGroup& group, const std::string& name) {
  HOTROW_RETURN_IF_ERROR(expect(group.first_slot <= kMaxSlot, name + ".firstSlot",
                                "an integer from 0 to 1048575", group.first_slot));
  HOTROW_RETURN_IF_ERROR(expect(group.last_slot <= kMaxSlot, name + ".lastSlot",
                                "an integer from 0 to 1048575", group.last_slot));
  if (group.first_slot <= group.last_slot) return {};
  return Status::invalid_argument(name + ": expected firstSlot up to lastSlot, received " +
                                  std::to_string(group.first_slot) + " and " +
                                  std::to_string(group.last_slot));
}

Status validate_apart(const std::vector<OptimizerGroup>& groups, size_t index) {
  const OptimizerGroup& group = groups[index];
  for (size_t other = 0; other < index; ++other) {
    if (group.last_slot < groups[other].first_slot || group.first_slot > groups[other].last_slot) {
      continue;
    }
    return Status::invalid_argument(name_of(index) + ": expected slots that " + name_of(other) +
                                    " does not have, received " + std::to_string(group.first_slot) +
                                    " to " + std::to_string(group.last_slot));
  }
  return {};
}

Status validate_numbers(const OptimizerGroup& group, const OptimizerOptions& optimizer,
                        const std::string& name) {
  const std::string scale = name + ".rateScale";
  const std::string decay = name + ".weightDecay";
  HOTROW_RETURN_IF_ERROR(expect_positive(group.rate_scale, scale));
  if (group.weight_decay != -1) {
    HOTROW_RETURN_IF_ERROR(expect_not_negative(group.weight_decay, decay));
  }
  if (optimizer.kind == OptimizerKind::kSum) {
    HOTROW_RETURN_IF_ERROR(
        expect(group.rate_scale == 1, scale, "1 (sum has no learning rate)", group.rate_scale));
    return expect(group.weight_decay <= 0, decay, "0 (sum does not use it)", group.weight_decay);
  }
  const float rate = optimizer.learning_rate * group.rate_scale;
  return expect(std::isfinite(rate) && rate > 0, scale,
                "a number that leaves the learning rate finite and above 0", group.rate_scale);
}

}  // namespace

Status validate_groups(const std::vector<OptimizerGroup>& groups,
                       const OptimizerOptions& optimizer) {
  HOTROW_RETURN_IF_ERROR(expect(groups.size() <= kMaxGroups, "groups", "at most 64 groups",
                                static_cast<double>(groups.size())));
  for (size_t i = 0; i < groups.size(); ++i) {
    HOTROW_RETURN_IF_ERROR(validate_slots(groups[i], name_of(i)));
    HOTROW_RETURN_IF_ERROR(validate_apart(groups, i));
    HOTROW_RETURN_IF_ERROR(validate_numbers(groups[i], optimizer, name_of(i)));
  }
  return {};
}

}  // namespace hotrow
