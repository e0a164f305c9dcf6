/* The contract's JSON form, both ways, by tables that say where each field lies and of what shape it is. */

#include "inner.h"

#include <inttypes.h>

typedef enum { OF_UNSIGNED, OF_BOOL, OF_STRING, OF_ENUM, OF_PAIRS, OF_LIST, OF_OPTION, OF_RECORD, OF_VARIANT } sort;

typedef struct shape shape;

/* A field of a record, a case of a variant, or a case of an enum. */
typedef struct {
    const char *name;
    const shape *shape; /* NULL: a case without a payload */
    size_t at;
    bool may_miss;
} part;

struct shape {
    sort sort;
    size_t size;
    const shape *inner; /* of a list's items, of an option's value */
    size_t at;          /* of an option's value, of a variant's payload */
    const part *parts;
    size_t count;
    const char *called; /* in messages */
};

/* What every list of the generated types is. */
typedef struct {
    void *ptr;
    size_t len;
} any_list;

#define PARTS(of) of, sizeof of / sizeof of[0]
#define RECORD(type, of) {OF_RECORD, sizeof(type), NULL, 0, PARTS(of), NULL}
#define ENUM(of, called) {OF_ENUM, sizeof(uint8_t), NULL, 0, PARTS(of), called}
#define VARIANT(type, of, called) {OF_VARIANT, sizeof(type), NULL, offsetof(type, val), PARTS(of), called}
#define LIST(inner) {OF_LIST, sizeof(any_list), &inner, 0, NULL, 0, NULL}
#define OPTION(type, inner) {OF_OPTION, sizeof(type), &inner, offsetof(type, val), NULL, 0, NULL}
#define PLAIN(sort, type) {sort, sizeof(type), NULL, 0, NULL, 0, NULL}
#define CASE(name) {name, NULL, 0, false}

static const shape of_u8 = PLAIN(OF_UNSIGNED, uint8_t), of_u16 = PLAIN(OF_UNSIGNED, uint16_t),
                   of_u32 = PLAIN(OF_UNSIGNED, uint32_t), of_u64 = PLAIN(OF_UNSIGNED, uint64_t),
                   of_bool = PLAIN(OF_BOOL, bool), of_string = PLAIN(OF_STRING, rectifier_string),
                   of_pairs = PLAIN(OF_PAIRS, any_list), of_strings = LIST(of_string),
                   of_option_string = OPTION(policy_option_string_t, of_string),
                   of_option_seconds = OPTION(rectifier_policy_types_option_seconds_t, of_u32);

/* In the order of the contract: their place there is their number. */
static const part statuses[] = {CASE("yes"), CASE("no"), CASE("unknown")};
static const part freshnesses[] = {CASE("fresh"), CASE("stale"), CASE("missing")};
static const part outcomes[] = {CASE("running"), CASE("recovered"), CASE("noEffect"),
                                CASE("failed"),  CASE("refused"),   CASE("unknown")};
static const part verbs[] = {CASE("restart"), CASE("start"), CASE("stopStart"), CASE("resetFailed")};
static const shape of_status = ENUM(statuses, "status"), of_freshness = ENUM(freshnesses, "freshness"),
                   of_outcome = ENUM(outcomes, "outcome"), of_verb = ENUM(verbs, "verb");

static const part gates[] = {CASE("open"), {"closed", &of_string, 0, false}};
static const shape of_gate = VARIANT(rectifier_gate, gates, "gate");

#define AT(name, member, shape) {name, &shape, offsetof(RECORD_OF, member), false}

#define RECORD_OF rectifier_unit_call
static const part unit_call_fields[] = {AT("name", name, of_string), AT("verb", verb, of_verb)};
static const shape of_unit_call = RECORD(RECORD_OF, unit_call_fields);
#undef RECORD_OF

#define RECORD_OF rectifier_fix_call
static const part fix_call_fields[] = {AT("name", name, of_string), {"args", &of_pairs, offsetof(RECORD_OF, args), true}};
static const shape of_fix_call = RECORD(RECORD_OF, fix_call_fields);
#undef RECORD_OF

static const part remedies[] = {CASE("decline"),
                                {"wait", &of_u32, 0, false},
                                {"unit", &of_unit_call, 0, false},
                                {"fix", &of_fix_call, 0, false},
                                CASE("reboot"),
                                CASE("escalate"),
                                CASE("replace")};
static const shape of_remedy = VARIANT(rectifier_remedy, remedies, "remedy");

#define RECORD_OF rectifier_condition
static const part condition_fields[] = {AT("kind", kind, of_string),       AT("status", status, of_status),
                                 AT("reason", reason, of_string),   AT("message", message, of_string),
                                 AT("held", held, of_u32),          AT("source", source, of_string)};
static const shape of_condition = RECORD(RECORD_OF, condition_fields), of_conditions = LIST(of_condition);
#undef RECORD_OF

#define RECORD_OF rectifier_event_count
static const part event_count_fields[] = {AT("reason", reason, of_string), AT("message", message, of_string),
                                   AT("count", count, of_u32),      AT("window", window, of_u32),
                                   AT("lastSeen", last_seen, of_u32)};
static const shape of_event_count = RECORD(RECORD_OF, event_count_fields), of_events = LIST(of_event_count);
#undef RECORD_OF

#define RECORD_OF rectifier_attempt
static const part attempt_fields[] = {AT("remedy", remedy, of_remedy), AT("age", age, of_u32), AT("outcome", outcome, of_outcome),
                               AT("detail", detail, of_string)};
static const shape of_attempt = RECORD(RECORD_OF, attempt_fields), of_attempts = LIST(of_attempt);
#undef RECORD_OF

#define RECORD_OF rectifier_episode
static const part episode_fields[] = {AT("problem", problem, of_condition), AT("age", age, of_u32),
                               AT("recurrences", recurrences, of_u32), AT("attempts", attempts, of_attempts)};
static const shape of_episode = RECORD(RECORD_OF, episode_fields), of_episodes = LIST(of_episode);
#undef RECORD_OF

#define RECORD_OF rectifier_moment
static const part moment_fields[] = {AT("unixSeconds", unix_seconds, of_u64), AT("weekday", weekday, of_u8),
                              AT("minuteOfDay", minute_of_day, of_u16)};
static const shape of_moment = RECORD(RECORD_OF, moment_fields);
#undef RECORD_OF

#define RECORD_OF rectifier_node
static const part node_fields[] = {AT("name", name, of_string),         AT("pool", pool, of_option_string),
                            AT("zone", zone, of_string),         AT("labels", labels, of_pairs),
                            AT("ready", ready, of_status),       AT("unschedulable", unschedulable, of_bool),
                            AT("uptime", uptime, of_option_seconds), AT("pods", pods, of_u32)};
static const shape of_node = RECORD(RECORD_OF, node_fields);
#undef RECORD_OF

#define RECORD_OF rectifier_unit
static const part unit_fields[] = {AT("name", name, of_string),          AT("activeState", active_state, of_string),
                            AT("subState", sub_state, of_string), AT("restarts", restarts, of_u32),
                            AT("held", held, of_u32),             AT("gate", gate, of_gate)};
static const shape of_unit = RECORD(RECORD_OF, unit_fields), of_units = LIST(of_unit);
#undef RECORD_OF

#define RECORD_OF rectifier_fix
static const part fix_fields[] = {AT("name", name, of_string), AT("params", params, of_strings), AT("gate", gate, of_gate)};
static const shape of_fix = RECORD(RECORD_OF, fix_fields), of_fixes = LIST(of_fix);
#undef RECORD_OF

#define RECORD_OF rectifier_node_view
static const part node_view_fields[] = {AT("units", units, of_units), AT("fixes", fixes, of_fixes), AT("reboot", reboot, of_gate),
                                 AT("freshness", freshness, of_freshness)};
static const shape of_node_view = RECORD(RECORD_OF, node_view_fields);
#undef RECORD_OF

#define RECORD_OF rectifier_group
static const part group_fields[] = {AT("nodes", nodes, of_u32), AT("sick", sick, of_u32), AT("repairing", repairing, of_u32)};
static const shape of_group = RECORD(RECORD_OF, group_fields);
#undef RECORD_OF

#define RECORD_OF rectifier_server
static const part server_fields[] = {AT("status", status, of_string), AT("task", task, of_option_string),
                              AT("fault", fault, of_option_string), AT("age", age, of_u32),
                              AT("provenDead", proven_dead, of_bool)};
static const shape of_server = RECORD(RECORD_OF, server_fields),
                   of_option_server = OPTION(rectifier_policy_types_option_server_t, of_server);
#undef RECORD_OF

#define RECORD_OF rectifier_cluster_view
static const part cluster_view_fields[] = {AT("pool", pool, of_group),
                                    AT("zone", zone, of_group),
                                    AT("sameProblem", same_problem, of_group),
                                    AT("server", server, of_option_server),
                                    AT("requestedBy", requested_by, of_string),
                                    AT("reboot", reboot, of_gate),
                                    AT("replace", replace, of_gate),
                                    AT("freshness", freshness, of_freshness)};
static const shape of_cluster_view = RECORD(RECORD_OF, cluster_view_fields);
#undef RECORD_OF

static const part sites[] = {{"node", &of_node_view, 0, false}, {"controlPlane", &of_cluster_view, 0, false}};
static const shape of_site = VARIANT(rectifier_site, sites, "site");

#define RECORD_OF rectifier_observation
static const part observation_fields[] = {AT("id", id, of_string),
                                   AT("now", now, of_moment),
                                   AT("node", node, of_node),
                                   AT("site", site, of_site),
                                   AT("episode", episode, of_episode),
                                   AT("otherEpisodes", other_episodes, of_episodes),
                                   AT("conditions", conditions, of_conditions),
                                   AT("events", events, of_events),
                                   AT("facts", facts, of_pairs)};
static const shape of_observation = RECORD(RECORD_OF, observation_fields);
#undef RECORD_OF

/* --- There --------------------------------------------------------------------------------------------------------------- */

static uint64_t unsigned_in(const shape *of, const void *value)
{
    switch (of->size) {
    case sizeof(uint8_t):
        return *(const uint8_t *)value;
    case sizeof(uint16_t):
        return *(const uint16_t *)value;
    case sizeof(uint32_t):
        return *(const uint32_t *)value;
    default:
        return *(const uint64_t *)value;
    }
}

static void put_string(rectifier_json *into, rectifier_string text)
{
    into->kind = RECTIFIER_JSON_STRING;
    into->text = text;
}

static void to_json(const shape *of, const void *value, rectifier_json *into)
{
    const char *bytes = value;
    any_list items = {NULL, 0};
    switch (of->sort) {
    case OF_UNSIGNED:
        into->kind = RECTIFIER_JSON_NUMBER;
        into->text = rectifier_format("%" PRIu64, unsigned_in(of, value));
        break;
    case OF_BOOL:
        into->kind = RECTIFIER_JSON_BOOL;
        into->truth = *(const bool *)value;
        break;
    case OF_STRING:
        put_string(into, *(const rectifier_string *)value);
        break;
    case OF_ENUM:
        put_string(into, rectifier_text(of->parts[*(const uint8_t *)value].name));
        break;
    case OF_PAIRS:
        into->kind = RECTIFIER_JSON_OBJECT;
        memcpy(&items, value, sizeof items);
        for (size_t at = 0; at < items.len; at++) {
            const rectifier_pair *pair = (const rectifier_pair *)items.ptr + at;
            put_string(rectifier_json_add(into, pair->name), pair->value);
        }
        break;
    case OF_LIST:
        into->kind = RECTIFIER_JSON_LIST;
        memcpy(&items, value, sizeof items);
        for (size_t at = 0; at < items.len; at++) {
            rectifier_string none = {NULL, 0};
            to_json(of->inner, (const char *)items.ptr + at * of->inner->size, rectifier_json_add(into, none));
        }
        break;
    case OF_OPTION:
        /* one that is absent was left out by its record */
        to_json(of->inner, bytes + of->at, into);
        break;
    case OF_RECORD:
        into->kind = RECTIFIER_JSON_OBJECT;
        for (const part *field = of->parts; field < of->parts + of->count; field++) {
            if (field->shape->sort != OF_OPTION || *(const bool *)(bytes + field->at))
                to_json(field->shape, bytes + field->at, rectifier_json_add(into, rectifier_text(field->name)));
        }
        break;
    case OF_VARIANT: {
        const part *one = &of->parts[*(const uint8_t *)value];
        if (one->shape == NULL) {
            put_string(into, rectifier_text(one->name));
        } else {
            into->kind = RECTIFIER_JSON_OBJECT;
            to_json(one->shape, bytes + of->at, rectifier_json_add(into, rectifier_text(one->name)));
        }
        break;
    }
    }
}

static const rectifier_json *json_of(const shape *of, const void *value)
{
    rectifier_json *json = rectifier_alloc(sizeof *json);
    to_json(of, value, json);
    return json;
}

const rectifier_json *rectifier_observation_to_json(const rectifier_observation *seen)
{
    return json_of(&of_observation, seen);
}

const rectifier_json *rectifier_remedy_to_json(const rectifier_remedy *remedy)
{
    return json_of(&of_remedy, remedy);
}

/* --- And back ------------------------------------------------------------------------------------------------------------ */

/* What is wrong, and where: the names are put before it on the way out. */
typedef struct {
    rectifier_string place, what;
} fault;

static bool is_no(fault *fault, const rectifier_json *json, const char *wanted)
{
    rectifier_string shown = rectifier_json_shown(json);
    fault->what = rectifier_format(RECTIFIER_TEXT " is no %s", RECTIFIER_SHOW(shown), wanted);
    return false;
}

static bool within(fault *fault, rectifier_string name)
{
    fault->place = fault->place.len == 0
        ? name
        : rectifier_format(RECTIFIER_TEXT "." RECTIFIER_TEXT, RECTIFIER_SHOW(name), RECTIFIER_SHOW(fault->place));
    return false;
}

static bool from_json(const shape *of, const rectifier_json *json, void *into, fault *fault);

static const part *part_of(const shape *of, rectifier_string name)
{
    for (const part *one = of->parts; one < of->parts + of->count; one++) {
        if (rectifier_is(&name, one->name))
            return one;
    }
    return NULL;
}

static bool unsigned_from(const shape *of, const rectifier_json *json, void *into, fault *fault)
{
    uint64_t most = of->size == sizeof most ? UINT64_MAX : (UINT64_C(1) << (8 * of->size)) - 1, size;
    bool negative;
    if (!rectifier_json_integer(json, &negative, &size) || size > most || (negative && size > 0)) {
        rectifier_string wanted = rectifier_format("integer from 0 to %" PRIu64, most);
        return is_no(fault, json, (const char *)wanted.ptr);
    }
    switch (of->size) {
    case sizeof(uint8_t):
        *(uint8_t *)into = (uint8_t)size;
        break;
    case sizeof(uint16_t):
        *(uint16_t *)into = (uint16_t)size;
        break;
    case sizeof(uint32_t):
        *(uint32_t *)into = (uint32_t)size;
        break;
    default:
        *(uint64_t *)into = size;
    }
    return true;
}

static bool pairs_from(const rectifier_json *json, void *into, fault *fault)
{
    if (json->kind != RECTIFIER_JSON_OBJECT)
        return is_no(fault, json, "object");
    rectifier_pair *pairs = rectifier_alloc(json->count * sizeof *pairs);
    for (size_t at = 0; at < json->count; at++) {
        pairs[at].name = json->names[at];
        if (!from_json(&of_string, &json->values[at], &pairs[at].value, fault))
            return within(fault, json->names[at]);
    }
    any_list list = {pairs, json->count};
    memcpy(into, &list, sizeof list);
    return true;
}

static bool list_from(const shape *of, const rectifier_json *json, void *into, fault *fault)
{
    if (json->kind != RECTIFIER_JSON_LIST)
        return is_no(fault, json, "list");
    char *items = rectifier_alloc(json->count * of->inner->size);
    for (size_t at = 0; at < json->count; at++) {
        if (!from_json(of->inner, &json->values[at], items + at * of->inner->size, fault))
            return within(fault, rectifier_format("%zu", at));
    }
    any_list list = {items, json->count};
    memcpy(into, &list, sizeof list);
    return true;
}

static bool record_from(const shape *of, const rectifier_json *json, char *into, fault *fault)
{
    if (json->kind != RECTIFIER_JSON_OBJECT)
        return is_no(fault, json, "object");
    for (size_t at = 0; at < json->count; at++) {
        const part *field = part_of(of, json->names[at]);
        if (field == NULL)
            fault->what = rectifier_text("it is not known");
        if (field == NULL || !from_json(field->shape, &json->values[at], into + field->at, fault))
            return within(fault, json->names[at]);
    }
    for (const part *field = of->parts; field < of->parts + of->count; field++) {
        if (rectifier_json_at(json, field->name) == NULL && !field->may_miss && field->shape->sort != OF_OPTION) {
            fault->what = rectifier_text("it is missing");
            return within(fault, rectifier_text(field->name));
        }
    }
    return true;
}

static bool variant_from(const shape *of, const rectifier_json *json, char *into, fault *fault)
{
    const part *one = NULL;
    bool with_payload = json->kind == RECTIFIER_JSON_OBJECT && json->count == 1;
    if (with_payload)
        one = part_of(of, json->names[0]);
    else if (json->kind == RECTIFIER_JSON_STRING)
        one = part_of(of, json->text);
    if (one == NULL || with_payload != (one->shape != NULL)) {
        rectifier_json name = {RECTIFIER_JSON_STRING, false, {NULL, 0}, 0, NULL, NULL};
        if (with_payload)
            name.text = json->names[0];
        return is_no(fault, with_payload ? &name : json, of->called);
    }
    *(uint8_t *)into = (uint8_t)(one - of->parts);
    if (one->shape != NULL && !from_json(one->shape, &json->values[0], into + of->at, fault))
        return within(fault, rectifier_text(one->name));
    return true;
}

static bool from_json(const shape *of, const rectifier_json *json, void *into, fault *fault)
{
    const part *one;
    switch (of->sort) {
    case OF_UNSIGNED:
        return unsigned_from(of, json, into, fault);
    case OF_BOOL:
        *(bool *)into = json->truth;
        return json->kind == RECTIFIER_JSON_BOOL || is_no(fault, json, "boolean");
    case OF_STRING:
        *(rectifier_string *)into = json->text;
        return json->kind == RECTIFIER_JSON_STRING || is_no(fault, json, "string");
    case OF_ENUM:
        one = json->kind == RECTIFIER_JSON_STRING ? part_of(of, json->text) : NULL;
        *(uint8_t *)into = one == NULL ? 0 : (uint8_t)(one - of->parts);
        return one != NULL || is_no(fault, json, of->called);
    case OF_PAIRS:
        return pairs_from(json, into, fault);
    case OF_LIST:
        return list_from(of, json, into, fault);
    case OF_OPTION:
        /* null is as good as absent: some languages cannot leave a key out */
        *(bool *)into = json->kind != RECTIFIER_JSON_NULL;
        return !*(bool *)into || from_json(of->inner, json, (char *)into + of->at, fault);
    case OF_RECORD:
        return record_from(of, json, into, fault);
    case OF_VARIANT:
        return variant_from(of, json, into, fault);
    }
    return false;
}

static bool read_form(const shape *of, const rectifier_json *json, void *into, rectifier_string *error)
{
    fault fault = {{NULL, 0}, {NULL, 0}};
    memset(into, 0, of->size);
    if (from_json(of, json, into, &fault))
        return true;
    *error = fault.place.len == 0 ? fault.what
                                  : rectifier_format(RECTIFIER_TEXT ": " RECTIFIER_TEXT, RECTIFIER_SHOW(fault.place),
                                                     RECTIFIER_SHOW(fault.what));
    return false;
}

const rectifier_observation *rectifier_observation_from_json(const rectifier_json *json, rectifier_string *error)
{
    rectifier_observation *seen = rectifier_alloc(sizeof *seen);
    return read_form(&of_observation, json, seen, error) ? seen : NULL;
}

bool rectifier_remedy_from_json(const rectifier_json *json, rectifier_remedy *remedy, rectifier_string *error)
{
    return read_form(&of_remedy, json, remedy, error);
}
