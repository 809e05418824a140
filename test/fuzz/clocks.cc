// Workers' clocks, driven by calls in text as clients send them. Each line of an input begins with
// who says it, a letter; a line of digits lets so many milliseconds pass, one of `!` decides steps.
#include <charconv>
#include <map>
#include <string>

#include "server/clocks.h"
#include "test/fuzz/target.h"
#include "wire/clock_call.h"

namespace hotrow::fuzz {

namespace {

class Play {
 public:
  void line(std::string_view text) {
    if (text.empty()) return;
    if (text[0] == '!') {
      decide();
    } else if (text[0] >= '0' && text[0] <= '9') {
      pass(text);
    } else {
      call(std::string(1, text[0]), text.substr(1));
    }
    look();
  }

 private:
  void decide() {
    // More than there can be groups: it ends.
    for (size_t i = 0; i <= server::Clocks::kMostGroups; ++i) {
      const auto decision = clocks_.decide();
      if (!decision) return;
      must_hold(i < server::Clocks::kMostGroups, "a group's step is decided once");
      expect_rising(*decision);
      clocks_.finish(*decision, {});
    }
  }

  static void expect_rising(const server::Clocks::Decision& decision) {
    for (size_t i = 1; i < decision.members.size(); ++i) {
      must_hold(decision.members[i - 1] < decision.members[i], "members rise");
    }
  }

  void pass(std::string_view text) {
    uint32_t ms = 0;
    std::from_chars(text.data(), text.data() + text.size(), ms);
    now_ += std::chrono::milliseconds(ms % 10'000'000);
    (void)clocks_.expire(now_);
    (void)clocks_.next_expiry();
    for (const std::string& id : clocks_.forget_idle(now_)) floors_.erase(id);
  }

  void call(const std::string& owner, std::string_view text) {
    const auto read = wire::read_clock_call(text);
    if (!read.ok()) return;
    const wire::ClockCall& its = read.value();
    if (its.call == "join") {
      join(owner, its);
    } else if (its.call == "tick") {
      tick(owner, its);
    } else if (its.call == "renew") {
      (void)clocks_.renew(owner, its.group, now_).ok();
    } else if (its.call == "leave") {
      const auto left = clocks_.leave(owner, its.group, now_);
      if (left.ok() && left.value().over) floors_.erase(left.value().place.id);
    } else if (its.call == "applyStep") {
      const server::Clocks::Decision told{.id = its.id, .step = its.step, .members = its.members};
      const auto applies = clocks_.told(its.group, told);
      if (applies.ok() && applies.value()) clocks_.finish(told, {});
    }
  }

  void join(const std::string& owner, const wire::ClockCall& its) {
    const WorkerOptions options{.group = its.group,
                                .index = its.index,
                                .of = its.of,
                                .mode = its.mode,
                                .staleness = its.staleness,
                                .lease_ms = static_cast<uint32_t>(its.lease_ms)};
    if (its.lease_ms > UINT32_MAX || !options.validate().ok()) return;
    const auto joined = clocks_.join(owner, options, its.id, its.step, now_);
    if (!joined.ok()) return;
    for (const std::string& id : joined.value().forgotten) floors_.erase(id);
    const auto place = clocks_.place(owner, its.group);
    must_hold(place.ok() && place.value().index == its.index, "who joined has its place");
  }

  void tick(const std::string& owner, const wire::ClockCall& its) {
    if (!clocks_.end_step(owner, its.group, its.step, now_).ok()) return;
    const auto passes = clocks_.passes(owner, its.group, its.step);
    const auto place = clocks_.place(owner, its.group);
    if (!passes.ok() || !passes.value() || !place.ok()) return;
    const auto figures = clocks_.look(its.group, now_);
    must_hold(figures.ok(), "a group with workers is known");
    if (place.value().mode != ClockMode::kBounded) return;
    must_hold(place.value().clock <= figures.value().slowest + figures.value().staleness,
              "nobody goes further ahead than it may be");
  }

  void look() {
    must_hold(clocks_.names().size() <= server::Clocks::kMostGroups, "groups are bounded");
    for (const std::string& name : clocks_.names()) {
      const std::string id = clocks_.id_of(name);
      const auto floor = clocks_.applied(name);
      must_hold(floor.ok(), "a group has a floor");
      uint64_t& known = floors_[id];
      must_hold(floor.value() >= known, "a group's floor does not fall");
      known = floor.value();
      expect_rising(clocks_.last_decision(name));
    }
  }

  server::Clocks clocks_;
  server::Clocks::Time now_{std::chrono::hours(1)};
  std::map<std::string, uint64_t> floors_;  // by id
};

void run_clocks(std::span<const uint8_t> input) {
  Play play;
  std::string_view rest = text_of(input);
  for (size_t lines = 0; !rest.empty() && lines < 200; ++lines) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    play.line(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

std::string said(char who, const char* call, uint32_t index, uint64_t step, ClockMode mode) {
  return who +
         wire::to_text(wire::ClockCall{.call = call,
                                       .group = "g",
                                       .index = index,
                                       .of = 2,
                                       .mode = mode,
                                       .staleness = mode == ClockMode::kBounded ? 1U : 0U,
                                       .lease_ms = 1000,
                                       .step = step}) +
         "\n";
}

std::vector<Input> clock_seeds() {
  std::vector<Input> all;
  for (const ClockMode mode : {ClockMode::kAsync, ClockMode::kBounded, ClockMode::kBulk}) {
    std::string text = said('a', "join", 0, 0, mode) + said('b', "join", 1, 0, mode);
    for (uint64_t step = 1; step < 3; ++step) {
      text += said('a', "tick", 0, step, mode) + said('b', "tick", 1, step, mode) + "!\n";
    }
    all.push_back(input_of(text + said('a', "leave", 0, 0, mode) + "500\n" +
                           said('b', "renew", 1, 0, mode) + said('b', "tick", 1, 3, mode) +
                           "!\n2000\n"));
  }
  return all;
}

}  // namespace

const Target kClocks{
    .name = "clocks", .run = run_clocks, .seeds = clock_seeds, .mutations = 10'000};

}  // namespace hotrow::fuzz
