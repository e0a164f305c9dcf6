/* Tests are functions whose names are sentences. They see the inside of the SDK, too. */
#ifndef TEST_H
#define TEST_H

#undef NDEBUG
#include <assert.h>
#include <stdio.h>

#include "../rectifier.c"

#define RUN(sentence) (puts("  " #sentence), sentence(), rectifier_forget())

/* Is it this text? Says what it is if not. */
static inline void is(rectifier_string text, const char *other)
{
    if (!rectifier_is(&text, other)) {
        fprintf(stderr, "it is      %.*s\nand not    %s\n", (int)text.len, (const char *)text.ptr, other);
        abort();
    }
}

static inline const rectifier_json *parsed(const char *text)
{
    rectifier_string error = {NULL, 0};
    const rectifier_json *json = rectifier_json_parse(rectifier_text(text), &error);
    if (json == NULL) {
        fprintf(stderr, "%s: %.*s\n", text, (int)error.len, (const char *)error.ptr);
        abort();
    }
    return json;
}

/* A node with a problem; `attempts` are those of its episode. */
static inline const rectifier_observation *observed(const char *site, const char *attempts)
{
    rectifier_string error = {NULL, 0}, text = rectifier_format(
        "{\"id\":\"1\",\"now\":{\"unixSeconds\":9007199254740991,\"weekday\":7,\"minuteOfDay\":1439},"
        "\"node\":{\"name\":\"n\",\"zone\":\"\",\"labels\":{\"role\":\"worker\",\"empty\":\"\"},\"ready\":\"no\","
        "\"unschedulable\":true,\"pods\":3},\"site\":%s,"
        "\"episode\":{\"problem\":{\"kind\":\"Sick\",\"status\":\"yes\",\"reason\":\"\",\"message\":\"\",\"held\":1,"
        "\"source\":\"npd\"},\"age\":60,\"recurrences\":0,\"attempts\":%s},\"otherEpisodes\":[],"
        "\"conditions\":[{\"kind\":\"Sick\",\"status\":\"yes\",\"reason\":\"\",\"message\":\"\",\"held\":1,\"source\":\"npd\"}],"
        "\"events\":[],\"facts\":{\"agent\":\"silent\"}}",
        site, attempts);
    const rectifier_json *json = parsed((const char *)text.ptr);
    const rectifier_observation *seen = rectifier_observation_from_json(json, &error);
    if (seen == NULL) {
        fprintf(stderr, "%.*s\n", (int)error.len, (const char *)error.ptr);
        abort();
    }
    return seen;
}

#define NODE                                                                                                                   \
    "{\"node\":{\"units\":[{\"name\":\"a.service\",\"activeState\":\"failed\",\"subState\":\"failed\",\"restarts\":0,"         \
    "\"held\":1,\"gate\":\"open\"}],\"fixes\":[{\"name\":\"vacuum\",\"params\":[\"size\"],\"gate\":{\"closed\":\"no\"}}],"     \
    "\"reboot\":\"open\",\"freshness\":\"fresh\"}}"

#define CONTROL_PLANE                                                                                                          \
    "{\"controlPlane\":{\"pool\":{\"nodes\":3,\"sick\":1,\"repairing\":0},\"zone\":{\"nodes\":3,\"sick\":1,\"repairing\":0},"  \
    "\"sameProblem\":{\"nodes\":1,\"sick\":1,\"repairing\":0},\"requestedBy\":\"conditions\",\"reboot\":\"open\","             \
    "\"replace\":\"open\",\"freshness\":\"stale\"}}"

#endif
