/* Questions that every policy asks. */

#include "inner.h"

const rectifier_string *rectifier_problem(const rectifier_observation *seen)
{
    return &seen->episode.problem.kind;
}

bool rectifier_problem_is_there(const rectifier_observation *seen)
{
    return seen->episode.problem.status == RECTIFIER_STATUS_YES;
}

bool rectifier_is_fresh(const rectifier_observation *seen)
{
    rectifier_freshness freshness = seen->site.tag == RECTIFIER_SITE_NODE ? seen->site.val.node.freshness
                                                                          : seen->site.val.control_plane.freshness;
    return freshness == RECTIFIER_FRESHNESS_FRESH;
}

const rectifier_node_view *rectifier_on_node(const rectifier_observation *seen)
{
    return seen->site.tag == RECTIFIER_SITE_NODE ? &seen->site.val.node : NULL;
}

const rectifier_cluster_view *rectifier_in_control_plane(const rectifier_observation *seen)
{
    return seen->site.tag == RECTIFIER_SITE_CONTROL_PLANE ? &seen->site.val.control_plane : NULL;
}

const rectifier_condition *rectifier_condition_of(const rectifier_observation *seen, const char *kind)
{
    for (size_t at = 0; at < seen->conditions.len; at++) {
        if (rectifier_is(&seen->conditions.ptr[at].kind, kind))
            return &seen->conditions.ptr[at];
    }
    return NULL;
}

static const rectifier_string *value_of(const rectifier_policy_types_list_pair_t *pairs, const char *name)
{
    for (size_t at = 0; at < pairs->len; at++) {
        if (rectifier_is(&pairs->ptr[at].name, name))
            return &pairs->ptr[at].value;
    }
    return NULL;
}

const rectifier_string *rectifier_label(const rectifier_observation *seen, const char *name)
{
    return value_of(&seen->node.labels, name);
}

const rectifier_string *rectifier_fact(const rectifier_observation *seen, const char *name)
{
    return value_of(&seen->facts, name);
}

/* Their order says nothing. */
static bool same_pairs(const rectifier_policy_types_list_pair_t *one, const rectifier_policy_types_list_pair_t *other)
{
    if (one->len != other->len)
        return false;
    for (size_t at = 0; at < one->len; at++) {
        const rectifier_pair *pair = &one->ptr[at];
        size_t found = 0;
        while (found < other->len && !rectifier_same(other->ptr[found].name, pair->name))
            found++;
        if (found == other->len || !rectifier_same(other->ptr[found].value, pair->value))
            return false;
    }
    return true;
}

bool rectifier_same_remedy(rectifier_remedy one, rectifier_remedy other)
{
    if (one.tag != other.tag)
        return false;
    switch (one.tag) {
    case RECTIFIER_REMEDY_WAIT:
        return one.val.wait == other.val.wait;
    case RECTIFIER_REMEDY_UNIT:
        return one.val.unit.verb == other.val.unit.verb && rectifier_same(one.val.unit.name, other.val.unit.name);
    case RECTIFIER_REMEDY_FIX:
        return rectifier_same(one.val.fix.name, other.val.fix.name) && same_pairs(&one.val.fix.args, &other.val.fix.args);
    default:
        return true;
    }
}

size_t rectifier_tried(const rectifier_episode *episode, rectifier_remedy remedy)
{
    size_t count = 0;
    const rectifier_attempt *attempt = NULL;
    while ((attempt = rectifier_attempt_at(episode, remedy, attempt)) != NULL)
        count += attempt->outcome != RECTIFIER_OUTCOME_REFUSED;
    return count;
}

const rectifier_attempt *rectifier_attempt_at(const rectifier_episode *episode, rectifier_remedy remedy,
                                              const rectifier_attempt *after)
{
    for (size_t at = after == NULL ? 0 : (size_t)(after - episode->attempts.ptr) + 1; at < episode->attempts.len; at++) {
        if (rectifier_same_remedy(episode->attempts.ptr[at].remedy, remedy))
            return &episode->attempts.ptr[at];
    }
    return NULL;
}

const rectifier_attempt *rectifier_running(const rectifier_episode *episode)
{
    for (size_t at = 0; at < episode->attempts.len; at++) {
        if (episode->attempts.ptr[at].outcome == RECTIFIER_OUTCOME_RUNNING)
            return &episode->attempts.ptr[at];
    }
    return NULL;
}

const rectifier_attempt *rectifier_last(const rectifier_episode *episode)
{
    return episode->attempts.len == 0 ? NULL : &episode->attempts.ptr[0];
}

const rectifier_unit *rectifier_unit_of(const rectifier_node_view *view, const char *name)
{
    for (size_t at = 0; view != NULL && at < view->units.len; at++) {
        if (rectifier_is(&view->units.ptr[at].name, name))
            return &view->units.ptr[at];
    }
    return NULL;
}

const rectifier_fix *rectifier_fix_of(const rectifier_node_view *view, const char *name)
{
    for (size_t at = 0; view != NULL && at < view->fixes.len; at++) {
        if (rectifier_is(&view->fixes.ptr[at].name, name))
            return &view->fixes.ptr[at];
    }
    return NULL;
}

bool rectifier_is_open(const rectifier_gate *gate)
{
    return rectifier_closed_by(gate) == NULL;
}

const rectifier_string *rectifier_closed_by(const rectifier_gate *gate)
{
    return gate->tag == RECTIFIER_GATE_CLOSED ? &gate->val.closed : NULL;
}
