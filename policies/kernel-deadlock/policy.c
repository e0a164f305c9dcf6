/* What a kernel that hangs gets: time to come out of it by itself, one reboot, and then the next level.
 *
 *     on the node             wait ──► reboot by the grant ──► escalate
 *     in the control plane             reboot by the cloud ──► replace ──► a human
 *
 * No unit is ever restarted: a hung kernel does not end processes. It climbs and never comes down within one episode. */

#include <rectifier.h>

/* When something may have changed by itself; every change of what is observed asks the policy anyway. */
#define SOON 30
/* A kernel tells of a hung task once in hung_task_timeout_secs, 120 s by default: twice that, and a minute, tells whether a
   boot has helped. */
#define SETTLE 300
/* Replacements of one node before a human is asked; after three failed ones within a day the engine asks one, too. */
#define REPLACEMENTS 3

/* What the operator's sidecar says under `settings`. */
struct settings {
    /* For so long it must have hung before anything is done on the node. */
    uint32_t hold;
    /* A kernel that hung so soon after its boot is not booted again. */
    uint32_t min_uptime;
    /* One reboot by the cloud, before the node is replaced? */
    bool reboot_by_cloud;
    /* How old the problem gets while its replacement is held back, before a human is asked. */
    uint32_t patience;
};

static uint32_t seconds(rectifier_object *said, const char *key, uint32_t otherwise, uint32_t most)
{
    uint32_t value = rectifier_get_u32(said, key, otherwise);
    if (value > most)
        rectifier_refuse(said, key, "is %u, not an integer from 0 to %u", value, most);
    return value;
}

/* A key that is not asked for here is refused, not ignored. The largest: an hour, for the control plane does not leave the
   node to itself for much longer; a day, for which the engines remember boots; a week. */
static void read_settings(rectifier_object *said, struct settings *settings)
{
    settings->hold = seconds(said, "holdSeconds", 60, 3600);
    settings->min_uptime = seconds(said, "minUptimeSeconds", 1800, 86400);
    settings->reboot_by_cloud = rectifier_get_bool(said, "rebootByCloud", true);
    settings->patience = seconds(said, "patienceSeconds", 86400, 604800);
}

/* How long the kernel ran from its boot until it hung. What it hangs for by now is no part of that: it may have hung for hours
   behind a gate that was shut. 0 if it has not been well since before the boot. */
static uint32_t ran(const rectifier_observation *seen, uint32_t since_boot)
{
    uint32_t held = seen->episode.problem.held;
    return since_boot > held ? since_boot - held : 0;
}

static rectifier_answer on_node(const rectifier_observation *seen, const struct settings *settings)
{
    /* Since when it has been there without a break, not the episode's age: a task that came out of its hang, and a later one
       that hangs, are two. Where it comes and goes without end the control plane takes over at the engine's deadline. */
    uint32_t held = seen->episode.problem.held;
    if (held < settings->hold)
        return rectifier_because(rectifier_wait(settings->hold - held),
                                 "a hung task may end by itself: it has hung for %u of %u s", held, settings->hold);

    const rectifier_attempt *attempt = rectifier_attempt_at(&seen->episode, rectifier_reboot(), NULL);
    if (attempt != NULL && attempt->outcome == RECTIFIER_OUTCOME_REFUSED)
        return rectifier_because(rectifier_escalate(), "its reboot was refused: " RECTIFIER_TEXT,
                                 RECTIFIER_SHOW(attempt->detail));
    if (attempt != NULL)
        return rectifier_because(rectifier_escalate(), "it was rebooted %u s ago, and it hangs", attempt->age);

    /* An earlier episode's boot is known by the uptime alone. Without that the control plane, which remembers, decides. */
    if (!seen->node.uptime.is_some)
        return rectifier_because(rectifier_escalate(), "nobody here knows when it was booted: it may hang after each boot");
    uint32_t well = ran(seen, seen->node.uptime.val);
    if (well < settings->min_uptime)
        return rectifier_because(rectifier_escalate(), "it hung %u s after its boot: another one would help no longer", well);

    const rectifier_string *rail = rectifier_closed_by(&rectifier_on_node(seen)->reboot);
    if (rail != NULL)
        return rectifier_because(rectifier_escalate(), "it may not be rebooted here: " RECTIFIER_TEXT, RECTIFIER_SHOW(*rail));
    rectifier_answer answer = rectifier_because(rectifier_reboot(), "the kernel has hung for %u s: only a boot ends that", held);
    return rectifier_settle(answer, SETTLE);
}

/* Why the cloud does not reboot it, if so. Of an attempt nobody says which level's it was. The node's own counts as one of two
   only where its engine asked for the repair; and that of the cloud closes the engine's gate. */
static rectifier_string no_boot(const rectifier_observation *seen, const struct settings *settings)
{
    const rectifier_cluster_view *view = rectifier_in_control_plane(seen);
    if (!settings->reboot_by_cloud)
        return rectifier_text("the settings want no reboot by the cloud");
    if (!view->server.is_some)
        return rectifier_text("nobody is certain which server it is");
    if (view->server.val.proven_dead)
        return rectifier_text("its machine is certainly dead");

    const rectifier_attempt *attempt = NULL;
    while ((attempt = rectifier_attempt_at(&seen->episode, rectifier_reboot(), attempt)) != NULL) {
        /* A hung kernel may not even go down; then it was no boot, and the cloud's is another thing. */
        bool booted = attempt->outcome != RECTIFIER_OUTCOME_REFUSED && attempt->outcome != RECTIFIER_OUTCOME_FAILED;
        uint32_t well = ran(seen, attempt->age);
        if (booted && well == 0)
            return rectifier_text("it hangs in spite of its reboot");
        if (booted && well < settings->min_uptime)
            return rectifier_format("it hung again %u s after its reboot", well);
    }
    size_t tried = rectifier_tried(&seen->episode, rectifier_reboot());
    size_t most = rectifier_is(&view->requested_by, "node-engine") ? 2 : 1;
    if (tried >= most)
        return rectifier_format("it was rebooted %zu of %zu times", tried, most);
    const rectifier_string *rail = rectifier_closed_by(&view->reboot);
    if (rail != NULL)
        return rectifier_format("no reboot now: " RECTIFIER_TEXT, RECTIFIER_SHOW(*rail));
    return rectifier_text("");
}

/* The guard rail that says no to a replacement, or NULL. One that refused a moment ago would only refuse again. */
static const rectifier_string *held_back_by(const rectifier_observation *seen)
{
    const rectifier_attempt *asked = rectifier_attempt_at(&seen->episode, rectifier_replace(), NULL);
    if (asked != NULL && asked->outcome == RECTIFIER_OUTCOME_REFUSED && asked->age < SOON)
        return &asked->detail;
    return rectifier_closed_by(&rectifier_in_control_plane(seen)->replace);
}

static rectifier_answer in_control_plane(const rectifier_observation *seen, const struct settings *settings)
{
    size_t tried = rectifier_tried(&seen->episode, rectifier_replace());
    /* What was replaced in vain is not booted again: that would be a step down. */
    rectifier_string why = tried > 0 ? rectifier_text("it could not be replaced yet") : no_boot(seen, settings);
    if (why.len == 0)
        return rectifier_settle(rectifier_because(rectifier_reboot(), "the kernel hangs: only a boot ends that"), SETTLE);
    if (tried >= REPLACEMENTS)
        return rectifier_because(rectifier_escalate(), "a replacement was tried %zu of %d times", tried, REPLACEMENTS);
    const rectifier_string *rail = held_back_by(seen);
    if (rail == NULL)
        return rectifier_because(rectifier_replace(), "the kernel hangs; " RECTIFIER_TEXT, RECTIFIER_SHOW(why));
    if (seen->episode.age >= settings->patience)
        return rectifier_because(rectifier_escalate(), "a replacement has been held back for too long: " RECTIFIER_TEXT,
                                 RECTIFIER_SHOW(*rail));
    return rectifier_because(rectifier_wait(SOON), "a replacement must wait: " RECTIFIER_TEXT, RECTIFIER_SHOW(*rail));
}

static rectifier_answer decide(const rectifier_observation *seen, const struct settings *settings)
{
    if (!rectifier_problem_is_there(seen))
        return rectifier_because(rectifier_wait(SOON), RECTIFIER_TEXT " is not reported as there at present",
                                 RECTIFIER_SHOW(*rectifier_problem(seen)));
    if (!rectifier_is_fresh(seen))
        return rectifier_because(rectifier_wait(SOON), "what is known here is not fresh");
    if (rectifier_running(&seen->episode) != NULL)
        return rectifier_because(rectifier_wait(SOON), "a remedy is still under way");
    return rectifier_on_node(seen) != NULL ? on_node(seen, settings) : in_control_plane(seen, settings);
}

RECTIFIER_POLICY(struct settings, read_settings, decide)
