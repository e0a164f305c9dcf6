#define _POSIX_C_SOURCE 200809L
#include "test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define RESTART "{\"unit\":{\"name\":\"a.service\",\"verb\":\"restart\"}}"
#define ATTEMPT(remedy, outcome) "{\"remedy\":" remedy ",\"age\":1,\"outcome\":\"" outcome "\",\"detail\":\"\"}"

static void the_problem_is_told(void)
{
    rectifier_observation seen = *observed(NODE, "[]");
    is(*rectifier_problem(&seen), "Sick");
    assert(rectifier_problem_is_there(&seen));
    seen.episode.problem.status = RECTIFIER_STATUS_UNKNOWN;
    assert(!rectifier_problem_is_there(&seen));
}

static void each_site_has_its_own_view(void)
{
    const rectifier_observation *node = observed(NODE, "[]"), *plane = observed(CONTROL_PLANE, "[]");
    assert(rectifier_on_node(node) != NULL && rectifier_in_control_plane(node) == NULL && rectifier_is_fresh(node));
    assert(rectifier_on_node(plane) == NULL && rectifier_in_control_plane(plane)->pool.nodes == 3);
    assert(!rectifier_is_fresh(plane));
    assert(rectifier_unit_of(rectifier_on_node(plane), "a.service") == NULL);
}

static void what_is_named_is_found_and_what_is_not_there_is_not(void)
{
    const rectifier_observation *seen = observed(NODE, "[]");
    const rectifier_node_view *view = rectifier_on_node(seen);
    assert(rectifier_is(rectifier_label(seen, "role"), "worker"));
    assert(rectifier_is(rectifier_label(seen, "empty"), "") && !rectifier_is(rectifier_label(seen, "none"), ""));
    assert(rectifier_is(rectifier_fact(seen, "agent"), "silent") && rectifier_fact(seen, "a") == NULL);
    assert(rectifier_condition_of(seen, "Sick")->held == 1 && rectifier_condition_of(seen, "Sic") == NULL);
    assert(rectifier_is(&rectifier_unit_of(view, "a.service")->active_state, "failed"));
    assert(rectifier_unit_of(view, "b.service") == NULL);
    assert(rectifier_is_open(&rectifier_unit_of(view, "a.service")->gate));
    assert(!rectifier_is_open(&rectifier_fix_of(view, "vacuum")->gate) && rectifier_fix_of(view, "") == NULL);
    assert(rectifier_is(rectifier_closed_by(&rectifier_fix_of(view, "vacuum")->gate), "no"));
}

static void only_the_same_remedy_counts_and_not_if_it_was_refused(void)
{
    const rectifier_episode *episode =
        &observed(NODE, "[" ATTEMPT(RESTART, "noEffect") "," ATTEMPT("\"reboot\"", "running") "," ATTEMPT(RESTART, "refused")
                            "," ATTEMPT("{\"unit\":{\"name\":\"a.service\",\"verb\":\"start\"}}", "failed") "]")->episode;
    rectifier_remedy restart = rectifier_restart("a.service");
    assert(rectifier_tried(episode, restart) == 1);
    assert(rectifier_tried(episode, rectifier_do(RECTIFIER_UNIT_VERB_START, "a.service")) == 1);
    assert(rectifier_tried(episode, rectifier_restart("b.service")) == 0);
    assert(rectifier_attempt_at(episode, restart, NULL) == &episode->attempts.ptr[0]);
    assert(rectifier_attempt_at(episode, restart, &episode->attempts.ptr[0]) == &episode->attempts.ptr[2]);
    assert(rectifier_attempt_at(episode, restart, &episode->attempts.ptr[2]) == NULL);
    assert(rectifier_running(episode) == &episode->attempts.ptr[1]);
    assert(rectifier_last(episode) == &episode->attempts.ptr[0]);
    const rectifier_episode *fresh = &observed(NODE, "[]")->episode;
    assert(rectifier_last(fresh) == NULL && rectifier_running(fresh) == NULL && rectifier_tried(fresh, restart) == 0);
}

static void remedies_are_the_same_only_in_all_their_parts(void)
{
    rectifier_remedy fix = rectifier_with(rectifier_run_fix("vacuum"), "size", "1G");
    assert(rectifier_same_remedy(fix, rectifier_with(rectifier_run_fix("vacuum"), "size", "1G")));
    assert(!rectifier_same_remedy(fix, rectifier_with(rectifier_run_fix("vacuum"), "size", "2G")));
    assert(!rectifier_same_remedy(fix, rectifier_with(rectifier_run_fix("vacuum"), "sise", "1G")));
    assert(!rectifier_same_remedy(fix, rectifier_run_fix("vacuum")));
    rectifier_remedy two = rectifier_with(fix, "age", "1d");
    assert(rectifier_same_remedy(two, rectifier_with(rectifier_with(rectifier_run_fix("vacuum"), "age", "1d"), "size", "1G")));
    assert(!rectifier_same_remedy(two, fix) && !rectifier_same_remedy(two, rectifier_with(fix, "old", "1d")));
    assert(rectifier_same_remedy(rectifier_wait(3), rectifier_wait(3)));
    assert(!rectifier_same_remedy(rectifier_wait(3), rectifier_wait(4)));
    assert(!rectifier_same_remedy(rectifier_reboot(), rectifier_replace()));
}

static void an_answer_is_built_in_few_words(void)
{
    rectifier_remedy remedy = rectifier_with(rectifier_with(rectifier_run_fix("f"), "a", "1"), "b", "2");
    rectifier_answer answer = rectifier_note(rectifier_note(rectifier_because(remedy, "%d of %s", 2, "it"), "n", "v"), "m", "");
    answer = rectifier_settle(answer, 30);
    assert(answer.decided && answer.decision.settle.is_some && answer.decision.settle.val == 30);
    is(answer.decision.reason, "2 of it");
    assert(answer.decision.notes.len == 2);
    is(answer.decision.notes.ptr[1].name, "m");
    is(rectifier_json_text(rectifier_remedy_to_json(&answer.decision.remedy)),
       "{\"fix\":{\"name\":\"f\",\"args\":{\"a\":\"1\",\"b\":\"2\"}}}");
    assert(!rectifier_because(rectifier_escalate(), "r").decision.settle.is_some);
}

static void strings_are_compared_by_all_their_bytes(void)
{
    rectifier_string ab = rectifier_text("ab"), none = {NULL, 0};
    assert(rectifier_compare(ab, rectifier_text("abc")) < 0 && rectifier_compare(rectifier_text("b"), ab) > 0);
    assert(rectifier_compare(none, rectifier_text("")) == 0 && rectifier_compare(none, ab) < 0);
    assert(rectifier_starts_with(&ab, "a") && rectifier_starts_with(&ab, "") && !rectifier_starts_with(&ab, "abc"));
    assert(!rectifier_starts_with(NULL, "") && !rectifier_is(NULL, ""));
    is(rectifier_format(RECTIFIER_TEXT "|" RECTIFIER_TEXT, RECTIFIER_SHOW(ab), RECTIFIER_SHOW(none)), "ab|");
}

/* What it writes before it ends. */
static rectifier_string last_words(void (*panics)(void))
{
    static char said[200];
    int pipes[2], status;
    assert(pipe(pipes) == 0);
    pid_t child = fork();
    assert(child >= 0);
    if (child == 0) {
        dup2(pipes[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        panics();
        _exit(0);
    }
    close(pipes[1]);
    assert(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    ssize_t len = read(pipes[0], said, sizeof said - 1);
    close(pipes[0]);
    rectifier_string words = {(uint8_t *)said, len < 0 ? 0 : (size_t)len};
    return words;
}

static void panics(void)
{
    rectifier_panic("%d is too many", 3);
}

static void gives_an_argument_to_a_reboot(void)
{
    rectifier_with(rectifier_reboot(), "a", "b");
}

static void takes_more_than_there_is(void)
{
    rectifier_alloc(SIZE_MAX);
}

static void a_panic_says_why_and_ends(void)
{
    is(last_words(panics), "error: 3 is too many\n");
    is(last_words(gives_an_argument_to_a_reboot), "error: only a fix has arguments, and this is none: a\n");
    is(last_words(takes_more_than_there_is), "error: there is no memory for 18446744073709551615 more bytes\n");
}

int main(void)
{
    RUN(the_problem_is_told);
    RUN(each_site_has_its_own_view);
    RUN(what_is_named_is_found_and_what_is_not_there_is_not);
    RUN(only_the_same_remedy_counts_and_not_if_it_was_refused);
    RUN(remedies_are_the_same_only_in_all_their_parts);
    RUN(an_answer_is_built_in_few_words);
    RUN(strings_are_compared_by_all_their_bytes);
    RUN(a_panic_says_why_and_ends);
}
