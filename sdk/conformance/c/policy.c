/* The conformance policy in C, as a component: sdk/conformance/README.md says what it must answer. */

#include <rectifier.h>

typedef struct {
    const rectifier_json *remedy;
    const char *reason;
    bool settles;
    uint32_t settle;
    /* It cannot decide, and says this. */
    const char *error;
    /* Its settings are refused, for this reason. */
    const char *refuse;
    /* It panics with this. */
    const char *panic;
    /* It never ends. */
    bool loop;
    /* It takes memory until there is none. */
    bool allocate;
} conformance_settings;

static void read_settings(rectifier_object *said, conformance_settings *settings)
{
    settings->remedy = rectifier_get_json(said, "remedy");
    settings->reason = rectifier_get_string(said, "reason", "");
    settings->settles = rectifier_has(said, "settle");
    settings->settle = rectifier_get_u32(said, "settle", 0);
    settings->error = rectifier_get_string(said, "error", NULL);
    settings->refuse = rectifier_get_string(said, "refuse", NULL);
    settings->panic = rectifier_get_string(said, "panic", NULL);
    settings->loop = rectifier_get_bool(said, "loop", false);
    settings->allocate = rectifier_get_bool(said, "allocate", false);
    if (settings->refuse != NULL)
        rectifier_refuse_all(said, "%s", settings->refuse);
}

static rectifier_string below(rectifier_string place, rectifier_string name)
{
    if (place.len == 0)
        return name;
    return rectifier_format(RECTIFIER_TEXT "." RECTIFIER_TEXT, RECTIFIER_SHOW(place), RECTIFIER_SHOW(name));
}

/* Every value as a note: the names joined by dots, and the value as text. A list that is empty is told apart from one that
   is not there. */
static rectifier_answer note_all(rectifier_answer answer, rectifier_string place, const rectifier_json *value)
{
    if (value->kind == RECTIFIER_JSON_STRING)
        return rectifier_note_string(answer, place, value->text);
    if (value->count == 0)
        return rectifier_note_string(answer, place, rectifier_json_text(value));
    for (size_t at = 0; at < value->count; at++) {
        bool fields = value->kind == RECTIFIER_JSON_OBJECT;
        rectifier_string name = fields ? value->names[at] : rectifier_format("%zu", at);
        answer = note_all(answer, below(place, name), &value->values[at]);
    }
    return answer;
}

static rectifier_answer decide(const rectifier_observation *seen, const conformance_settings *settings)
{
    rectifier_remedy remedy;
    rectifier_string error;
    if (settings->panic != NULL)
        rectifier_panic("%s", settings->panic);
    while (settings->loop) {}
    while (settings->allocate)
        rectifier_alloc(1 << 20);
    if (settings->error != NULL)
        return rectifier_cannot("%s", settings->error);
    if (settings->remedy == NULL)
        return rectifier_cannot("no remedy in the settings");
    if (!rectifier_remedy_from_json(settings->remedy, &remedy, &error))
        return rectifier_cannot(RECTIFIER_TEXT, RECTIFIER_SHOW(error));
    rectifier_answer answer = rectifier_because(remedy, "%s", settings->reason);
    if (settings->settles)
        answer = rectifier_settle(answer, settings->settle);
    return note_all(answer, rectifier_text(""), rectifier_observation_to_json(seen));
}

RECTIFIER_POLICY(conformance_settings, read_settings, decide)
