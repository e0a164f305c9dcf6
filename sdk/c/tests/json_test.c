#include "test.h"

static void what_is_json_is_read_and_written_the_same(void)
{
    static const char *const documents[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "9007199254740991",
        "-1.5e+10",
        "\"\"",
        "\"ä語🛠\"",
        "[]",
        "{}",
        "[1,[2,[3]],{}]",
        "{\"\":{\"a\":[null,true]},\"b\":\"\\\\ \\\"\"}",
    };
    for (size_t at = 0; at < sizeof documents / sizeof documents[0]; at++)
        is(rectifier_json_text(parsed(documents[at])), documents[at]);
    is(rectifier_json_text(parsed(" \t\r\n[ 1 , { \"a\" : 2 } ] ")), "[1,{\"a\":2}]");
}

static void escapes_are_what_they_stand_for(void)
{
    is(parsed("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"")->text, "\"\\/\b\f\n\r\t");
    is(parsed("\"\\u0041\\u00e4\\u8a9E\"")->text, "Aä語");
    is(parsed("\"\\ud83d\\udee0\\uDBFF\\uDFFF\"")->text, "🛠\xf4\x8f\xbf\xbf");
    assert(parsed("\"\\u0000\"")->text.len == 1);
    is(rectifier_json_text(parsed("\"\\u0000\\n\\u001f\"")), "\"\\u0000\\u000a\\u001f\"");
}

static void what_is_no_json_is_refused_with_the_place(void)
{
    static const struct {
        const char *text, *error;
    } documents[] = {
        {"", "at byte 0: a value must begin"},
        {"nul", "a value must begin"},
        {"True", "a value must begin"},
        {"[1,]", "at byte 3: a value must begin"},
        {"[1 2]", "a list goes on"},
        {"[1", "a list goes on"},
        {"{\"a\":1,}", "a key must begin"},
        {"{a:1}", "a key must begin"},
        {"{\"a\" 1}", "a : must stand"},
        {"{\"a\":1 \"b\":2}", "an object goes on"},
        {"{\"a\":1,\"\\u0061\":2}", "a key stands here twice"},
        {"01", "does not begin with 0"},
        {"-", "a digit must stand"},
        {"1.", "a digit must stand"},
        {"1e", "a digit must stand"},
        {"+1", "a value must begin"},
        {".5", "a value must begin"},
        {"NaN", "a value must begin"},
        {"1 2", "at byte 2: more stands behind"},
        {"\"a", "a string does not end"},
        {"\"a\nb\"", "a control character"},
        {"\"\\x\"", "no such escape"},
        {"\"\\", "no such escape"},
        {"\"\\u12\"", "four hexadecimal digits"},
        {"\"\\ud800\"", "first half of a surrogate pair stands alone"},
        {"\"\\ud800\\u0041\"", "first half of a surrogate pair stands alone"},
        {"\"\\udc00\"", "second half of a surrogate pair stands alone"},
        {"\"\xc3\"", "not UTF-8"},
        {"\"\xed\xa0\x80\"", "not UTF-8"},
        {"\"\xc0\x80\"", "not UTF-8"},
        {"\"\xf4\x90\x80\x80\"", "not UTF-8"},
    };
    for (size_t at = 0; at < sizeof documents / sizeof documents[0]; at++) {
        rectifier_string error = {NULL, 0};
        assert(rectifier_json_parse(rectifier_text(documents[at].text), &error) == NULL);
        if (strstr(rectifier_cstr(error), documents[at].error) == NULL)
            is(error, documents[at].error);
    }
}

static void what_is_nested_too_deep_is_refused(void)
{
    char text[301] = "";
    rectifier_string error = {NULL, 0};
    memset(text, '[', 127);
    memset(text + 127, ']', 127);
    assert(rectifier_json_parse(rectifier_text(text), &error) != NULL);
    memset(text, '[', 300);
    assert(rectifier_json_parse(rectifier_text(text), &error) == NULL);
    assert(strstr(rectifier_cstr(error), "nested too deep") != NULL);
}

static void an_integer_is_exact_or_none(void)
{
    bool negative;
    uint64_t size;
    assert(rectifier_json_integer(parsed("18446744073709551615"), &negative, &size) && size == UINT64_MAX && !negative);
    assert(rectifier_json_integer(parsed("-12"), &negative, &size) && size == 12 && negative);
    static const char *const none[] = {"18446744073709551616", "99999999999999999999999", "1.0", "1e3", "\"1\"", "null"};
    for (size_t at = 0; at < sizeof none / sizeof none[0]; at++)
        assert(!rectifier_json_integer(parsed(none[at]), &negative, &size));
}

static void a_field_is_found_by_its_name(void)
{
    const rectifier_json *object = parsed("{\"a\":1,\"ab\":2}");
    is(rectifier_json_text(rectifier_json_at(object, "ab")), "2");
    assert(rectifier_json_at(object, "b") == NULL);
    assert(rectifier_json_at(parsed("[1]"), "a") == NULL);
}

static void what_a_message_shows_is_short_and_whole_characters(void)
{
    char text[200] = "\"";
    for (int at = 0; at < 40; at++)
        strcat(text, "ä");
    strcat(text, "\"");
    rectifier_string shown = rectifier_json_shown(parsed(text));
    assert(shown.len == 59 + strlen("…") && rectifier_is_utf8(shown));
}

int main(void)
{
    RUN(what_is_json_is_read_and_written_the_same);
    RUN(escapes_are_what_they_stand_for);
    RUN(what_is_no_json_is_refused_with_the_place);
    RUN(what_is_nested_too_deep_is_refused);
    RUN(an_integer_is_exact_or_none);
    RUN(a_field_is_found_by_its_name);
    RUN(what_a_message_shows_is_short_and_whole_characters);
}
