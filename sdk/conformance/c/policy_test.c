/* Plays the golden cases, which are its arguments, on the machine itself. What only the engine can find out, it leaves to it. */

#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rectifier.h>

static rectifier_string content(const char *name)
{
    FILE *file = fopen(name, "rb");
    assert(file != NULL && fseek(file, 0, SEEK_END) == 0);
    size_t size = (size_t)ftell(file);
    rewind(file);
    rectifier_string text = {rectifier_alloc(size + 1), size};
    assert(fread(text.ptr, 1, size, file) == size);
    fclose(file);
    return text;
}

static void is(const char *golden, rectifier_string got, rectifier_string wanted)
{
    if (rectifier_same(got, wanted))
        return;
    fprintf(stderr, "%s: it is " RECTIFIER_TEXT "\nand not " RECTIFIER_TEXT "\n", golden, RECTIFIER_SHOW(got),
            RECTIFIER_SHOW(wanted));
    exit(1);
}

/* A golden message is a part of what is said. */
static void has(const char *golden, rectifier_string got, rectifier_string part)
{
    if (strstr(rectifier_cstr(got), rectifier_cstr(part)) != NULL)
        return;
    fprintf(stderr, "%s: " RECTIFIER_TEXT " has no " RECTIFIER_TEXT "\n", golden, RECTIFIER_SHOW(got), RECTIFIER_SHOW(part));
    exit(1);
}

static void decides(const char *golden, rectifier_answer answer, const rectifier_json *wanted)
{
    const rectifier_decision *decision = &answer.decision;
    const rectifier_json *settle = rectifier_json_at(wanted, "settle"), *notes = rectifier_json_at(wanted, "notes");
    rectifier_remedy remedy;
    rectifier_string error;
    assert(rectifier_remedy_from_json(rectifier_json_at(wanted, "remedy"), &remedy, &error));
    assert(answer.decided && rectifier_same_remedy(decision->remedy, remedy));
    is(golden, decision->reason, rectifier_json_at(wanted, "reason")->text);
    assert(decision->settle.is_some == (settle != NULL));
    if (settle != NULL)
        is(golden, rectifier_format("%u", decision->settle.val), settle->text);
    assert(decision->notes.len == notes->count);
    for (size_t at = 0; at < decision->notes.len; at++) {
        const rectifier_json *note = rectifier_json_at(notes, rectifier_cstr(decision->notes.ptr[at].name));
        assert(note != NULL);
        is(golden, decision->notes.ptr[at].value, note->text);
    }
}

static void play(const char *golden)
{
    rectifier_string error;
    const rectifier_json *document = rectifier_json_parse(content(golden), &error);
    assert(document != NULL);
    const rectifier_observation *seen = rectifier_observation_from_json(rectifier_json_at(document, "observation"), &error);
    assert(seen != NULL);
    rectifier_string settings = rectifier_json_text(rectifier_json_at(document, "settings"));
    const rectifier_json *decision = rectifier_json_at(document, "decision");
    const rectifier_json *failure = rectifier_json_at(document, "failure");
    bool usable = rectifier_check(&rectifier_this_policy, settings, &error);
    if (decision != NULL) {
        assert(usable);
        decides(golden, rectifier_ask(&rectifier_this_policy, seen, settings), decision);
    } else if (rectifier_is(&rectifier_json_at(failure, "class")->text, "settings")) {
        assert(!usable);
        has(golden, error, rectifier_json_at(failure, "message")->text);
    } else if (rectifier_is(&rectifier_json_at(failure, "class")->text, "guest-error") &&
               rectifier_json_at(failure, "orElse") == NULL) { /* C cannot be caught when it panics */
        rectifier_answer answer = rectifier_ask(&rectifier_this_policy, seen, settings);
        assert(!answer.decided);
        has(golden, answer.error, rectifier_json_at(failure, "message")->text);
    }
}

int main(int count, char **names)
{
    assert(count > 1);
    for (int at = 1; at < count; at++) {
        play(names[at]);
        printf("  %s\n", names[at]);
        rectifier_forget();
    }
}
