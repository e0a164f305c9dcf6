/* Its arguments are the golden cases: sdk/conformance/cases. */
#include "test.h"

static const shape *const records[] = {&of_unit_call, &of_fix_call, &of_condition, &of_event_count, &of_attempt, &of_episode,
                                       &of_moment, &of_node, &of_unit, &of_fix, &of_node_view, &of_group, &of_server,
                                       &of_cluster_view, &of_observation};

/* A field that the contract gets and a table does not would leave a hole. */
static void every_field_of_a_record_stands_in_its_table(void)
{
    for (size_t at = 0; at < sizeof records / sizeof records[0]; at++) {
        size_t end = 0;
        for (const part *field = records[at]->parts; field < records[at]->parts + records[at]->count; field++) {
            assert(field->at >= end && field->at - end < 8);
            end = field->at + field->shape->size;
        }
        assert(records[at]->size >= end && records[at]->size - end < 8);
    }
}

static void every_case_stands_in_its_table(void)
{
    assert(of_status.count == RECTIFIER_STATUS_UNKNOWN + 1 && of_freshness.count == RECTIFIER_FRESHNESS_MISSING + 1);
    assert(of_outcome.count == RECTIFIER_OUTCOME_UNKNOWN + 1 && of_verb.count == RECTIFIER_UNIT_VERB_RESET_FAILED + 1);
    assert(of_gate.count == RECTIFIER_GATE_CLOSED + 1 && of_site.count == RECTIFIER_SITE_CONTROL_PLANE + 1);
    assert(of_remedy.count == RECTIFIER_REMEDY_REPLACE + 1);
}

static void a_remedy_is_read_as_it_is_written(void)
{
    static const char *const written[] = {
        "\"decline\"",
        "\"reboot\"",
        "\"escalate\"",
        "\"replace\"",
        "{\"wait\":30}",
        "{\"unit\":{\"name\":\"kubelet.service\",\"verb\":\"stopStart\"}}",
        "{\"fix\":{\"name\":\"vacuum\",\"args\":{\"size\":\"1G\"}}}",
    };
    for (size_t at = 0; at < sizeof written / sizeof written[0]; at++) {
        rectifier_string error = {NULL, 0};
        rectifier_remedy remedy;
        assert(rectifier_remedy_from_json(parsed(written[at]), &remedy, &error));
        is(rectifier_json_text(rectifier_remedy_to_json(&remedy)), written[at]);
    }
    rectifier_string error = {NULL, 0};
    rectifier_remedy remedy;
    assert(rectifier_remedy_from_json(parsed("{\"fix\":{\"name\":\"vacuum\"}}"), &remedy, &error));
    assert(rectifier_same_remedy(remedy, rectifier_run_fix("vacuum")));
}

static void what_is_no_remedy_is_refused_by_name(void)
{
    static const struct {
        const char *text, *error;
    } wrong[] = {
        {"\"rebot\"", "\"rebot\" is no remedy"},
        {"\"wait\"", "\"wait\" is no remedy"},
        {"{\"reboot\":1}", "\"reboot\" is no remedy"},
        {"{\"wait\":1,\"reboot\":1}", "an object is no remedy"},
        {"3", "3 is no remedy"},
        {"{\"unit\":{\"name\":\"a.service\",\"verb\":\"kill\"}}", "unit.verb: \"kill\" is no verb"},
        {"{\"unit\":{\"name\":\"a.service\",\"verb\":\"start\",\"force\":true}}", "unit.force: it is not known"},
        {"{\"unit\":{\"name\":\"a.service\"}}", "unit.verb: it is missing"},
        {"{\"unit\":{\"name\":1,\"verb\":\"start\"}}", "unit.name: 1 is no string"},
        {"{\"fix\":{\"name\":\"f\",\"args\":{\"a\":1}}}", "fix.args.a: 1 is no string"},
        {"{\"wait\":-1}", "wait: -1 is no integer from 0 to 4294967295"},
        {"{\"wait\":4294967296}", "wait: 4294967296 is no integer from 0 to 4294967295"},
    };
    for (size_t at = 0; at < sizeof wrong / sizeof wrong[0]; at++) {
        rectifier_string error = {NULL, 0};
        rectifier_remedy remedy;
        assert(!rectifier_remedy_from_json(parsed(wrong[at].text), &remedy, &error));
        is(error, wrong[at].error);
    }
}

static void the_place_in_an_observation_that_is_wrong_is_named(void)
{
    rectifier_string error = {NULL, 0};
    assert(rectifier_observation_from_json(parsed("{}"), &error) == NULL);
    is(error, "id: it is missing");
    assert(rectifier_observation_from_json(parsed("{\"conditions\":[{\"kind\":\"a\",\"held\":\"1\"}]}"), &error) == NULL);
    is(error, "conditions.0.held: \"1\" is no integer from 0 to 4294967295");
}

static rectifier_string content(const char *name)
{
    FILE *file = fopen(name, "rb");
    rectifier_buffer all = {NULL, 0, 0};
    char some[4096];
    assert(file != NULL);
    for (size_t len; (len = fread(some, 1, sizeof some, file)) > 0;)
        rectifier_put(&all, some, len);
    fclose(file);
    return rectifier_put_all(&all);
}

static bool same(const rectifier_json *one, const rectifier_json *other)
{
    if (one->kind != other->kind || one->count != other->count || one->truth != other->truth)
        return false;
    if (!rectifier_same(one->text, other->text))
        return false;
    for (size_t at = 0; at < one->count; at++) {
        const rectifier_json *value = &other->values[at];
        if (one->kind == RECTIFIER_JSON_OBJECT)
            value = rectifier_json_at(other, rectifier_cstr(one->names[at]));
        if (value == NULL || !same(&one->values[at], value))
            return false;
    }
    return true;
}

static const char *golden;

static void a_golden_observation_goes_there_and_back(void)
{
    rectifier_string error = {NULL, 0};
    const rectifier_json *document = rectifier_json_parse(content(golden), &error);
    assert(document != NULL);
    const rectifier_json *written = rectifier_json_at(document, "observation");
    const rectifier_observation *seen = rectifier_observation_from_json(written, &error);
    if (seen == NULL)
        is(error, "");
    assert(same(written, rectifier_observation_to_json(seen)));
}

int main(int count, char **names)
{
    RUN(every_field_of_a_record_stands_in_its_table);
    RUN(every_case_stands_in_its_table);
    RUN(a_remedy_is_read_as_it_is_written);
    RUN(what_is_no_remedy_is_refused_by_name);
    RUN(the_place_in_an_observation_that_is_wrong_is_named);
    assert(count > 1);
    for (int at = 1; at < count; at++) {
        golden = names[at];
        printf("  %s:\n  ", golden);
        RUN(a_golden_observation_goes_there_and_back);
    }
}
