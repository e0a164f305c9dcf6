/* Between a policy and the component's exports. */

#include "inner.h"

static void *read_settings(const rectifier_policy *policy, rectifier_string text, rectifier_string *error)
{
    void *settings = rectifier_alloc(policy->settings_size);
    rectifier_object *said = rectifier_read(text);
    /* Of what is no JSON only this can be said. */
    if (rectifier_complaint(said)->len == 0)
        policy->read(said, settings);
    return rectifier_read_well(said, error) ? settings : NULL;
}

void rectifier_read_no_settings(rectifier_object *said, rectifier_no_settings *settings)
{
    (void)said;
    (void)settings;
}

bool rectifier_check(const rectifier_policy *policy, rectifier_string settings, rectifier_string *error)
{
    return read_settings(policy, settings, error) != NULL;
}

rectifier_answer rectifier_ask(const rectifier_policy *policy, const rectifier_observation *seen, rectifier_string settings)
{
    rectifier_string error;
    const void *said = read_settings(policy, settings, &error);
    if (said == NULL)
        return rectifier_cannot(RECTIFIER_TEXT, RECTIFIER_SHOW(error));
    return policy->decide(seen, said);
}

#ifdef __wasm__

/* What leaves the component is freed by the generated code, so all of it is a copy in memory of its own. */

static void *own(const void *bytes, size_t size)
{
    if (size == 0)
        return NULL;
    void *copy = malloc(size);
    if (copy == NULL)
        rectifier_panic("there is no memory for %zu more bytes", size);
    return memcpy(copy, bytes, size);
}

static rectifier_string own_string(rectifier_string text)
{
    /* cut in the middle of a character it would be a trap without a word at the component's border */
    text = rectifier_utf8_of(text);
    rectifier_string copy = {own(text.ptr, text.len), text.len};
    return copy;
}

static void own_pairs(rectifier_policy_types_list_pair_t *pairs)
{
    pairs->ptr = own(pairs->ptr, pairs->len * sizeof *pairs->ptr);
    for (size_t at = 0; at < pairs->len; at++) {
        pairs->ptr[at].name = own_string(pairs->ptr[at].name);
        pairs->ptr[at].value = own_string(pairs->ptr[at].value);
    }
}

static void own_decision(rectifier_decision *decision)
{
    rectifier_remedy *remedy = &decision->remedy;
    if (remedy->tag == RECTIFIER_REMEDY_UNIT)
        remedy->val.unit.name = own_string(remedy->val.unit.name);
    if (remedy->tag == RECTIFIER_REMEDY_FIX) {
        remedy->val.fix.name = own_string(remedy->val.fix.name);
        own_pairs(&remedy->val.fix.args);
    }
    decision->reason = own_string(decision->reason);
    own_pairs(&decision->notes);
}

bool exports_rectifier_policy_decider_validate_settings(policy_string_t *settings, policy_string_t *error)
{
    rectifier_string why;
    bool usable = rectifier_check(&rectifier_this_policy, *settings, &why);
    if (!usable)
        *error = own_string(why);
    policy_string_free(settings);
    rectifier_forget();
    return usable;
}

bool exports_rectifier_policy_decider_decide(rectifier_observation *seen, policy_string_t *settings,
                                             rectifier_decision *decision, policy_string_t *error)
{
    rectifier_answer answer = rectifier_ask(&rectifier_this_policy, seen, *settings);
    if (answer.decided) {
        *decision = answer.decision;
        own_decision(decision);
    } else {
        *error = own_string(answer.error);
    }
    rectifier_policy_types_observation_free(seen);
    policy_string_free(settings);
    rectifier_forget();
    return answer.decided;
}

/* The generated code asks for an object file that only says what type the component has. `rectifier policy build` says it
   instead; whoever links that file has the name from there. */
__attribute__((weak)) void __component_type_object_force_link_policy(void) {}

#endif
