#include "test.h"

/* Everything that can be asked, in one policy. */
typedef struct {
    uint32_t attempts;
    uint64_t large;
    int64_t shift;
    double share;
    bool careful;
    const char *unit, *first_fix;
    size_t fixes, rules;
    uint32_t last_weight, pause;
} settings_type;

static void read_all(rectifier_object *said, settings_type *settings)
{
    settings->attempts = rectifier_get_u32(said, "attempts", 1);
    settings->large = rectifier_get_u64(said, "large", 0);
    settings->shift = rectifier_get_i64(said, "shift", -1);
    settings->share = rectifier_get_number(said, "share", 0.5);
    settings->careful = rectifier_get_bool(said, "careful", true);
    settings->unit = rectifier_get_string(said, "unit", "a.service");
    settings->fixes = rectifier_get_count(said, "fixes");
    for (size_t at = 0; at < settings->fixes; at++) {
        const char *fix = rectifier_get_string_item(said, "fixes", at);
        settings->first_fix = at == 0 ? fix : settings->first_fix;
    }
    settings->rules = rectifier_get_count(said, "rules");
    for (size_t at = 0; at < settings->rules; at++) {
        rectifier_object *rule = rectifier_get_object_item(said, "rules", at);
        rectifier_need(rule, "weight");
        settings->last_weight = rectifier_get_u32(rule, "weight", 0);
    }
    settings->pause = rectifier_get_u32(rectifier_get_object(said, "waiting"), "pause", 30);
    if (settings->attempts == 0)
        rectifier_refuse(said, "attempts", "is %d: then nothing is ever restarted", 0);
}

static settings_type got;

static rectifier_answer decide_all(const rectifier_observation *seen, const settings_type *settings)
{
    (void)seen;
    got = *settings;
    return rectifier_because(rectifier_wait(settings->attempts), "%s", settings->unit);
}

RECTIFIER_POLICY(settings_type, read_all, decide_all)

static void all_keys_are_read(void)
{
    const char *text = "{\"attempts\":4294967295,\"large\":9007199254740991,\"shift\":-9007199254740991,\"share\":-2.5e-1,"
                       "\"careful\":false,\"unit\":\"b\\u00e4.service\",\"fixes\":[\"one\",\"two\"],"
                       "\"rules\":[{\"weight\":1},{\"weight\":2}],\"waiting\":{\"pause\":7}}";
    rectifier_answer answer = rectifier_ask(&rectifier_this_policy, observed(NODE, "[]"), rectifier_text(text));
    assert(answer.decided);
    is(answer.decision.reason, "bä.service");
    assert(answer.decision.remedy.val.wait == UINT32_MAX);
    assert(got.large == 9007199254740991 && got.shift == -9007199254740991 && got.share == -0.25 && !got.careful);
    assert(got.fixes == 2 && strcmp(got.first_fix, "one") == 0 && got.rules == 2 && got.last_weight == 2 && got.pause == 7);
}

static void what_is_not_said_is_as_the_policy_says(void)
{
    rectifier_answer answer = rectifier_ask(&rectifier_this_policy, observed(NODE, "[]"), rectifier_text("{}"));
    assert(answer.decided);
    assert(got.attempts == 1 && got.shift == -1 && got.share == 0.5 && got.careful && got.fixes == 0 && got.pause == 30);
    is(answer.decision.reason, "a.service");
}

static void what_is_not_usable_is_refused_by_its_place(void)
{
    static const struct {
        const char *text, *error;
    } wrong[] = {
        {"{\"attemps\":1}", "settings: the key \"attemps\" is not known; known: attempts, large, shift, share, careful, unit, "
                            "fixes, rules, waiting"},
        {"{\"waiting\":{\"paus\":1}}", "settings.waiting: the key \"paus\" is not known; known: pause"},
        {"{\"rules\":[{\"weight\":1},{\"weight\":1,\"x\":2}]}", "settings.rules.1: the key \"x\" is not known; known: weight"},
        {"{\"rules\":[{}]}", "settings.rules.0.weight is missing"},
        {"{\"rules\":[1]}", "settings.rules.0 is 1, not an object"},
        {"{\"rules\":{}}", "settings.rules is an object, not a list"},
        {"{\"attempts\":0}", "settings.attempts is 0: then nothing is ever restarted"},
        {"{\"attempts\":4294967296}", "settings.attempts is 4294967296, not an integer from 0 to 4294967295"},
        {"{\"attempts\":-1}", "settings.attempts is -1, not an integer from 0 to 4294967295"},
        {"{\"attempts\":1.0}", "settings.attempts is 1.0, not an integer from 0 to 4294967295"},
        {"{\"attempts\":\"2\"}", "settings.attempts is \"2\", not an integer from 0 to 4294967295"},
        {"{\"attempts\":null}", "settings.attempts is null, not an integer from 0 to 4294967295"},
        {"{\"large\":9007199254740992}", "settings.large is 9007199254740992, not an integer from 0 to 9007199254740991"},
        {"{\"shift\":-9007199254740992}",
         "settings.shift is -9007199254740992, not an integer from -9007199254740991 to 9007199254740991"},
        {"{\"share\":1e999}", "settings.share is 1e999, not a number"},
        {"{\"share\":true}", "settings.share is true, not a number"},
        {"{\"careful\":\"yes\"}", "settings.careful is \"yes\", not true or false"},
        {"{\"unit\":[]}", "settings.unit is a list, not a string (without NUL)"},
        {"{\"unit\":\"a\\u0000b\"}", "settings.unit is \"a\\u0000b\", not a string (without NUL)"},
        {"{\"fixes\":[\"a\",2]}", "settings.fixes.1 is 2, not a string (without NUL)"},
        {"{\"waiting\":3}", "settings.waiting is 3, not an object"},
        {"[]", "settings is a list, not an object"},
        {"{", "settings: no JSON at byte 1: a key must begin here"},
    };
    for (size_t at = 0; at < sizeof wrong / sizeof wrong[0]; at++) {
        rectifier_string error = {NULL, 0};
        assert(!rectifier_check(&rectifier_this_policy, rectifier_text(wrong[at].text), &error));
        is(error, wrong[at].error);
        rectifier_answer answer = rectifier_ask(&rectifier_this_policy, observed(NODE, "[]"), rectifier_text(wrong[at].text));
        assert(!answer.decided);
        is(answer.error, wrong[at].error);
    }
}

static rectifier_answer decide_nothing(const rectifier_observation *seen, const void *settings)
{
    (void)seen;
    (void)settings;
    return rectifier_cannot("no idea: %d", 7);
}

static void read_nothing(rectifier_object *said, void *settings)
{
    rectifier_read_no_settings(said, settings);
}

static void a_policy_without_settings_refuses_all_of_them(void)
{
    rectifier_policy policy = {sizeof(rectifier_no_settings), read_nothing, decide_nothing};
    rectifier_string error = {NULL, 0};
    assert(rectifier_check(&policy, rectifier_text("{}"), &error));
    assert(!rectifier_check(&policy, rectifier_text("{\"a\":1}"), &error));
    is(error, "settings: the key \"a\" is not known; known: none");
    is(rectifier_ask(&policy, observed(NODE, "[]"), rectifier_text("{}")).error, "no idea: 7");
}

int main(void)
{
    RUN(all_keys_are_read);
    RUN(what_is_not_said_is_as_the_policy_says);
    RUN(what_is_not_usable_is_refused_by_its_place);
    RUN(a_policy_without_settings_refuses_all_of_them);
}
