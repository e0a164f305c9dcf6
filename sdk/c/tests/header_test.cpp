// A policy in C++: the header is C that C++ takes, and the policy is found under its C name.

#undef NDEBUG
#include <cassert>
#include <cstdio>
#include <string>

#include "../rectifier.h"

namespace {

struct Settings {
    uint32_t attempts;
};

void read(rectifier_object *said, Settings *settings)
{
    settings->attempts = rectifier_get_u32(said, "attempts", 1);
}

rectifier_answer decide(const rectifier_observation *seen, const Settings *settings)
{
    rectifier_remedy restart = rectifier_restart("containerd.service");
    if (rectifier_tried(&seen->episode, restart) < settings->attempts)
        return rectifier_settle(rectifier_because(restart, "%u restarts are allowed", settings->attempts), 30);
    const std::string kind(reinterpret_cast<const char *>(seen->episode.problem.kind.ptr), seen->episode.problem.kind.len);
    return rectifier_because(rectifier_escalate(), "%s is still there", kind.c_str());
}

} // namespace

RECTIFIER_POLICY(Settings, read, decide)

int main()
{
    rectifier_observation seen{};
    seen.episode.problem.kind = rectifier_text("Sick");
    auto answer = rectifier_ask(&rectifier_this_policy, &seen, rectifier_text("{\"attempts\":2}"));
    assert(answer.decided && answer.decision.settle.val == 30);
    assert(rectifier_is(&answer.decision.reason, "2 restarts are allowed"));
    answer = rectifier_ask(&rectifier_this_policy, &seen, rectifier_text("{\"attempts\":0}"));
    assert(rectifier_is(&answer.decision.reason, "Sick is still there"));
    rectifier_forget();
    std::puts("  a_policy_may_be_written_in_cpp");
}
