/* Short ways to answer. */

#include "inner.h"

static rectifier_remedy plain(uint8_t tag)
{
    rectifier_remedy remedy;
    memset(&remedy, 0, sizeof remedy);
    remedy.tag = tag;
    return remedy;
}

rectifier_remedy rectifier_decline(void)
{
    return plain(RECTIFIER_REMEDY_DECLINE);
}

rectifier_remedy rectifier_wait(uint32_t seconds)
{
    rectifier_remedy remedy = plain(RECTIFIER_REMEDY_WAIT);
    remedy.val.wait = seconds;
    return remedy;
}

rectifier_remedy rectifier_restart(const char *unit)
{
    return rectifier_do(RECTIFIER_UNIT_VERB_RESTART, unit);
}

rectifier_remedy rectifier_do(rectifier_unit_verb verb, const char *unit)
{
    rectifier_remedy remedy = plain(RECTIFIER_REMEDY_UNIT);
    remedy.val.unit.name = rectifier_text(unit);
    remedy.val.unit.verb = verb;
    return remedy;
}

rectifier_remedy rectifier_run_fix(const char *name)
{
    rectifier_remedy remedy = plain(RECTIFIER_REMEDY_FIX);
    remedy.val.fix.name = rectifier_text(name);
    return remedy;
}

/* One more pair; the list before it stays what it was, for whoever still holds it. */
static void add(rectifier_policy_types_list_pair_t *pairs, rectifier_string name, rectifier_string value)
{
    rectifier_pair *longer = rectifier_alloc((pairs->len + 1) * sizeof *longer);
    if (pairs->len > 0)
        memcpy(longer, pairs->ptr, pairs->len * sizeof *longer);
    longer[pairs->len].name = name;
    longer[pairs->len].value = value;
    pairs->ptr = longer;
    pairs->len++;
}

rectifier_remedy rectifier_with(rectifier_remedy fix, const char *param, const char *value)
{
    if (fix.tag != RECTIFIER_REMEDY_FIX)
        rectifier_panic("only a fix has arguments, and this is none: %s", param);
    add(&fix.val.fix.args, rectifier_text(param), rectifier_text(value));
    return fix;
}

rectifier_remedy rectifier_reboot(void)
{
    return plain(RECTIFIER_REMEDY_REBOOT);
}

rectifier_remedy rectifier_escalate(void)
{
    return plain(RECTIFIER_REMEDY_ESCALATE);
}

rectifier_remedy rectifier_replace(void)
{
    return plain(RECTIFIER_REMEDY_REPLACE);
}

rectifier_answer rectifier_because(rectifier_remedy remedy, const char *format, ...)
{
    rectifier_answer answer;
    va_list values;
    memset(&answer, 0, sizeof answer);
    answer.decided = true;
    answer.decision.remedy = remedy;
    va_start(values, format);
    answer.decision.reason = rectifier_format_list(format, values);
    va_end(values);
    return answer;
}

rectifier_answer rectifier_cannot(const char *format, ...)
{
    rectifier_answer answer;
    va_list values;
    memset(&answer, 0, sizeof answer);
    va_start(values, format);
    answer.error = rectifier_format_list(format, values);
    va_end(values);
    return answer;
}

rectifier_answer rectifier_settle(rectifier_answer answer, uint32_t seconds)
{
    answer.decision.settle.is_some = true;
    answer.decision.settle.val = seconds;
    return answer;
}

rectifier_answer rectifier_note(rectifier_answer answer, const char *name, const char *value)
{
    return rectifier_note_string(answer, rectifier_text(name), rectifier_text(value));
}

rectifier_answer rectifier_note_string(rectifier_answer answer, rectifier_string name, rectifier_string value)
{
    add(&answer.decision.notes, name, value);
    return answer;
}
