/* Tests on the machine itself: `make test`. What the policy decides in whole stories stands in cases/. */

#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <rectifier.h>

/* A node that runs for a day, and hangs for so long: 0 is `yes`, `fresh`, `open` and the site `node`. */
static rectifier_observation hung_for(uint32_t held)
{
    rectifier_observation seen = {0};
    seen.episode.problem.kind = rectifier_text("KernelDeadlock");
    seen.episode.problem.held = held;
    seen.node.uptime.is_some = true;
    seen.node.uptime.val = 86400;
    return seen;
}

/* The same in the control plane, whose server is certain, asked for by the node's engine; one remedy was tried. */
static rectifier_observation tried(rectifier_attempt *attempt)
{
    rectifier_observation seen = hung_for(60);
    seen.node.uptime.is_some = false;
    memset(&seen.site, 0, sizeof seen.site);
    seen.site.tag = RECTIFIER_SITE_CONTROL_PLANE;
    seen.site.val.control_plane.server.is_some = true;
    seen.site.val.control_plane.requested_by = rectifier_text("node-engine");
    seen.episode.attempts.ptr = attempt;
    seen.episode.attempts.len = 1;
    return seen;
}

static rectifier_remedy decided(const rectifier_observation *seen, const char *settings)
{
    rectifier_answer answer = rectifier_ask(&rectifier_this_policy, seen, rectifier_text(settings));
    assert(answer.decided);
    return answer.decision.remedy;
}

static void a_hang_is_given_its_time_to_the_second(void)
{
    rectifier_observation young = hung_for(59), old = hung_for(60);
    assert(rectifier_same_remedy(decided(&young, "{}"), rectifier_wait(1)));
    assert(rectifier_same_remedy(decided(&old, "{}"), rectifier_reboot()));
    assert(rectifier_same_remedy(decided(&young, "{\"holdSeconds\": 0}"), rectifier_reboot()));
}

static void how_long_it_ran_is_counted_until_it_hung(void)
{
    rectifier_observation seen = hung_for(600);
    seen.node.uptime.val = 2399;
    assert(rectifier_same_remedy(decided(&seen, "{}"), rectifier_escalate()));
    seen.node.uptime.val = 2400;
    assert(rectifier_same_remedy(decided(&seen, "{}"), rectifier_reboot()));
    seen.node.uptime.val = 599; /* it hung before the boot, and after it */
    assert(rectifier_same_remedy(decided(&seen, "{}"), rectifier_escalate()));
    assert(rectifier_same_remedy(decided(&seen, "{\"minUptimeSeconds\": 0}"), rectifier_reboot()));
}

static void only_what_booted_can_have_hung_again(void)
{
    rectifier_attempt attempt = {.remedy = rectifier_reboot(), .age = 600};
    rectifier_observation seen = tried(&attempt);
    for (rectifier_outcome outcome = RECTIFIER_OUTCOME_RECOVERED; outcome <= RECTIFIER_OUTCOME_UNKNOWN; outcome++) {
        bool booted = outcome != RECTIFIER_OUTCOME_FAILED && outcome != RECTIFIER_OUTCOME_REFUSED;
        attempt.outcome = outcome;
        assert(rectifier_same_remedy(decided(&seen, "{}"), booted ? rectifier_replace() : rectifier_reboot()));
    }
}

static void what_was_replaced_in_vain_is_not_booted(void)
{
    rectifier_attempt attempt = {.remedy = rectifier_replace(), .age = 600, .outcome = RECTIFIER_OUTCOME_FAILED};
    rectifier_observation seen = tried(&attempt);
    assert(rectifier_same_remedy(decided(&seen, "{}"), rectifier_replace()));
    attempt.outcome = RECTIFIER_OUTCOME_REFUSED; /* then it was not replaced at all */
    assert(rectifier_same_remedy(decided(&seen, "{}"), rectifier_reboot()));
}

static void settings_that_make_no_sense_are_refused_with_what_is_right(void)
{
    static const char *const wrong[][2] = {
        {"{\"holdSeconds\": 3601}", "settings.holdSeconds is 3601, not an integer from 0 to 3600"},
        {"{\"minUptimeSeconds\": 86401}", "not an integer from 0 to 86400"},
        {"{\"patienceSeconds\": 604801}", "not an integer from 0 to 604800"},
        {"{\"rebootByCloud\": \"no\"}", "settings.rebootByCloud is \"no\", not true or false"},
        {"{\"holdSecond\": 1}", "known: holdSeconds, minUptimeSeconds, rebootByCloud, patienceSeconds"},
    };
    for (size_t at = 0; at < sizeof wrong / sizeof *wrong; at++) {
        rectifier_string error;
        assert(!rectifier_check(&rectifier_this_policy, rectifier_text(wrong[at][0]), &error));
        assert(strstr(rectifier_cstr(error), wrong[at][1]) != NULL);
    }
}

/* The sidecar's lines `  key: value`, as JSON. */
static const char *shipped(void)
{
    static char text[512] = "{";
    char line[256], key[64], value[64];
    FILE *sidecar = fopen("kernel-deadlock.yaml", "r");
    assert(sidecar != NULL);
    while (fgets(line, sizeof line, sidecar) != NULL) {
        size_t used = strlen(text);
        if (line[0] == ' ' && sscanf(line, " %63[A-Za-z]: %63[a-z0-9]", key, value) == 2)
            snprintf(text + used, sizeof text - used, "%s\"%s\": %s", used > 1 ? ", " : "", key, value);
    }
    fclose(sidecar);
    return strcat(text, "}");
}

static void the_shipped_sidecar_says_what_holds_without_one(void)
{
    const char *const both[] = {"{}", shipped()};
    rectifier_attempt none = {0};
    assert(strlen(both[1]) > 2);
    for (size_t at = 0; at < 2; at++) {
        rectifier_observation new = hung_for(0), early = hung_for(60), late = hung_for(60), cloud = tried(&none);
        early.node.uptime.val = 60 + 1799;
        late.node.uptime.val = 60 + 1800;
        cloud.episode.attempts.len = 0;
        assert(rectifier_same_remedy(decided(&new, both[at]), rectifier_wait(60)));
        assert(rectifier_same_remedy(decided(&early, both[at]), rectifier_escalate()));
        assert(rectifier_same_remedy(decided(&late, both[at]), rectifier_reboot()));
        assert(rectifier_same_remedy(decided(&cloud, both[at]), rectifier_reboot()));

        rectifier_gate shut = {.tag = RECTIFIER_GATE_CLOSED};
        cloud.site.val.control_plane.reboot = cloud.site.val.control_plane.replace = shut;
        cloud.episode.age = 86399;
        assert(rectifier_same_remedy(decided(&cloud, both[at]), rectifier_wait(30)));
        cloud.episode.age = 86400;
        assert(rectifier_same_remedy(decided(&cloud, both[at]), rectifier_escalate()));
    }
}

#define RUN(sentence) (puts("  " #sentence), sentence(), rectifier_forget())

int main(void)
{
    RUN(a_hang_is_given_its_time_to_the_second);
    RUN(how_long_it_ran_is_counted_until_it_hung);
    RUN(only_what_booted_can_have_hung_again);
    RUN(what_was_replaced_in_vain_is_not_booted);
    RUN(settings_that_make_no_sense_are_refused_with_what_is_right);
    RUN(the_shipped_sidecar_says_what_holds_without_one);
}
