/* JSON as RFC 8259 has it, and no more: no comments, no trailing comma, no key twice, no lone surrogate. */

#include "inner.h"

/* Far more than any document of ours, far less than the stack. */
#define DEEPEST 128

typedef struct {
    const char *start, *at, *end;
    rectifier_string error;
} reader;

static bool read_value(reader *in, rectifier_json *into, int depth);

static bool wrong(reader *in, const char *what)
{
    in->error = rectifier_format("no JSON at byte %zu: %s", (size_t)(in->at - in->start), what);
    return false;
}

static void space(reader *in)
{
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\n' || *in->at == '\r' || *in->at == '\t'))
        in->at++;
}

static bool next_is(reader *in, char byte)
{
    space(in);
    if (in->at == in->end || *in->at != byte)
        return false;
    in->at++;
    return true;
}

static bool read_word(reader *in, const char *text)
{
    size_t len = strlen(text);
    if ((size_t)(in->end - in->at) < len || memcmp(in->at, text, len) != 0)
        return wrong(in, "a value must begin here");
    in->at += len;
    return true;
}

static bool is_digit(const reader *in)
{
    return in->at < in->end && *in->at >= '0' && *in->at <= '9';
}

static bool digits(reader *in)
{
    if (!is_digit(in))
        return wrong(in, "a digit must stand here");
    while (is_digit(in))
        in->at++;
    return true;
}

/* It stays as it is written: what it is worth depends on who asks. */
static bool read_number(reader *in, rectifier_json *into)
{
    const char *start = in->at;
    if (*in->at == '-')
        in->at++;
    if (in->at < in->end && *in->at == '0') {
        in->at++;
        if (is_digit(in))
            return wrong(in, "a number does not begin with 0");
    } else if (!digits(in)) {
        return false;
    }
    if (in->at < in->end && *in->at == '.') {
        in->at++;
        if (!digits(in))
            return false;
    }
    if (in->at < in->end && (*in->at == 'e' || *in->at == 'E')) {
        in->at++;
        if (in->at < in->end && (*in->at == '+' || *in->at == '-'))
            in->at++;
        if (!digits(in))
            return false;
    }
    into->kind = RECTIFIER_JSON_NUMBER;
    into->text.ptr = (uint8_t *)(uintptr_t)start;
    into->text.len = (size_t)(in->at - start);
    return true;
}

static bool four_hex(reader *in, uint32_t *unit)
{
    *unit = 0;
    for (int digit = 0; digit < 4; digit++, in->at++) {
        char byte = in->at < in->end ? *in->at : 0;
        uint32_t worth;
        if (byte >= '0' && byte <= '9')
            worth = (uint32_t)(byte - '0');
        else if (byte >= 'a' && byte <= 'f')
            worth = (uint32_t)(byte - 'a' + 10);
        else if (byte >= 'A' && byte <= 'F')
            worth = (uint32_t)(byte - 'A' + 10);
        else
            return wrong(in, "four hexadecimal digits must stand here");
        *unit = *unit * 16 + worth;
    }
    return true;
}

/* After `\u`. A character beyond U+FFFF is written as two units, which stand for nothing alone. */
static bool read_unicode(reader *in, rectifier_buffer *text)
{
    uint32_t point, second;
    if (!four_hex(in, &point))
        return false;
    if (point >= 0xDC00 && point <= 0xDFFF)
        return wrong(in, "the second half of a surrogate pair stands alone");
    if (point >= 0xD800 && point <= 0xDBFF) {
        if (in->end - in->at < 2 || in->at[0] != '\\' || in->at[1] != 'u')
            return wrong(in, "the first half of a surrogate pair stands alone");
        in->at += 2;
        if (!four_hex(in, &second))
            return false;
        if (second < 0xDC00 || second > 0xDFFF)
            return wrong(in, "the first half of a surrogate pair stands alone");
        point = 0x10000 + ((point - 0xD800) << 10) + (second - 0xDC00);
    }
    uint8_t bytes[4];
    size_t len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t at = len; at-- > 1; point >>= 6)
        bytes[at] = (uint8_t)(0x80 | (point & 0x3F));
    static const uint8_t lead[] = {0, 0x00, 0xC0, 0xE0, 0xF0};
    bytes[0] = (uint8_t)(lead[len] | point);
    rectifier_put(text, bytes, len);
    return true;
}

static bool read_escape(reader *in, rectifier_buffer *text)
{
    static const char written[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    char byte = in->at < in->end ? *in->at++ : 0;
    if (byte == 'u')
        return read_unicode(in, text);
    const char *found = byte == 0 ? NULL : strchr(written, byte);
    if (found == NULL)
        return wrong(in, "there is no such escape");
    rectifier_put(text, meant + (found - written), 1);
    return true;
}

static bool read_string(reader *in, rectifier_string *into)
{
    rectifier_buffer text = {NULL, 0, 0};
    for (in->at++;;) {
        const char *plain = in->at;
        while (in->at < in->end && (uint8_t)*in->at >= 0x20 && *in->at != '"' && *in->at != '\\')
            in->at++;
        rectifier_put(&text, plain, (size_t)(in->at - plain));
        if (in->at == in->end)
            return wrong(in, "a string does not end");
        if ((uint8_t)*in->at < 0x20)
            return wrong(in, "a control character stands in a string");
        if (*in->at++ == '"')
            break;
        if (!read_escape(in, &text))
            return false;
    }
    *into = rectifier_put_all(&text);
    return true;
}

static bool read_list(reader *in, rectifier_json *into, int depth)
{
    into->kind = RECTIFIER_JSON_LIST;
    in->at++;
    if (next_is(in, ']'))
        return true;
    do {
        rectifier_string none = {NULL, 0};
        if (!read_value(in, rectifier_json_add(into, none), depth))
            return false;
    } while (next_is(in, ','));
    return next_is(in, ']') || wrong(in, "a list goes on with , or ends with ]");
}

static bool read_object(reader *in, rectifier_json *into, int depth)
{
    into->kind = RECTIFIER_JSON_OBJECT;
    in->at++;
    if (next_is(in, '}'))
        return true;
    do {
        rectifier_string name;
        space(in);
        if (in->at == in->end || *in->at != '"')
            return wrong(in, "a key must begin here");
        if (!read_string(in, &name))
            return false;
        for (size_t at = 0; at < into->count; at++) {
            if (rectifier_same(into->names[at], name))
                return wrong(in, "a key stands here twice");
        }
        if (!next_is(in, ':'))
            return wrong(in, "a : must stand here");
        if (!read_value(in, rectifier_json_add(into, name), depth))
            return false;
    } while (next_is(in, ','));
    return next_is(in, '}') || wrong(in, "an object goes on with , or ends with }");
}

static bool read_value(reader *in, rectifier_json *into, int depth)
{
    if (depth == DEEPEST)
        return wrong(in, "it is nested too deep");
    space(in);
    switch (in->at < in->end ? *in->at : 0) {
    case '{':
        return read_object(in, into, depth + 1);
    case '[':
        return read_list(in, into, depth + 1);
    case '"':
        into->kind = RECTIFIER_JSON_STRING;
        return read_string(in, &into->text);
    case 't':
    case 'f':
        into->kind = RECTIFIER_JSON_BOOL;
        into->truth = *in->at == 't';
        return read_word(in, into->truth ? "true" : "false");
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return read_number(in, into);
    default:
        into->kind = RECTIFIER_JSON_NULL;
        return read_word(in, "null");
    }
}

const rectifier_json *rectifier_json_parse(rectifier_string text, rectifier_string *error)
{
    const char *start = text.len == 0 ? "" : (const char *)text.ptr;
    reader in = {start, start, start + text.len, {NULL, 0}};
    rectifier_json *parsed = rectifier_alloc(sizeof(rectifier_json));
    bool well = rectifier_is_utf8(text) ? read_value(&in, parsed, 0) : wrong(&in, "the text is not UTF-8");
    if (well) {
        space(&in);
        well = in.at == in.end || wrong(&in, "more stands behind the value");
    }
    if (!well)
        *error = in.error;
    return well ? parsed : NULL;
}

rectifier_json *rectifier_json_add(rectifier_json *to, rectifier_string name)
{
    /* There is room up to the next power of two. */
    if ((to->count & (to->count - 1)) == 0) {
        size_t room = to->count == 0 ? 1 : 2 * to->count;
        rectifier_json *values = rectifier_alloc(room * sizeof *values);
        rectifier_string *names = NULL;
        if (to->kind == RECTIFIER_JSON_OBJECT)
            names = rectifier_alloc(room * sizeof *names);
        if (to->count > 0)
            memcpy(values, to->values, to->count * sizeof *values);
        if (to->count > 0 && names != NULL)
            memcpy(names, to->names, to->count * sizeof *names);
        to->values = values;
        to->names = names;
    }
    if (to->names != NULL)
        to->names[to->count] = name;
    return &to->values[to->count++];
}

const rectifier_json *rectifier_json_at(const rectifier_json *object, const char *name)
{
    for (size_t at = 0; object->kind == RECTIFIER_JSON_OBJECT && at < object->count; at++) {
        if (rectifier_is(&object->names[at], name))
            return &object->values[at];
    }
    return NULL;
}

static void write_string(rectifier_buffer *out, rectifier_string text)
{
    static const char hex[] = "0123456789abcdef";
    rectifier_put_text(out, "\"");
    for (size_t at = 0; at < text.len; at++) {
        char byte = (char)text.ptr[at];
        if (byte == '"' || byte == '\\') {
            rectifier_put_text(out, "\\");
            rectifier_put(out, &byte, 1);
        } else if (text.ptr[at] < 0x20) {
            char unit[] = {'\\', 'u', '0', '0', hex[text.ptr[at] >> 4], hex[text.ptr[at] & 15]};
            rectifier_put(out, unit, sizeof unit);
        } else {
            rectifier_put(out, &byte, 1);
        }
    }
    rectifier_put_text(out, "\"");
}

static void write_value(rectifier_buffer *out, const rectifier_json *value)
{
    bool fields = value->kind == RECTIFIER_JSON_OBJECT;
    switch (value->kind) {
    case RECTIFIER_JSON_NULL:
        rectifier_put_text(out, "null");
        break;
    case RECTIFIER_JSON_BOOL:
        rectifier_put_text(out, value->truth ? "true" : "false");
        break;
    case RECTIFIER_JSON_NUMBER:
        rectifier_put(out, value->text.ptr, value->text.len);
        break;
    case RECTIFIER_JSON_STRING:
        write_string(out, value->text);
        break;
    case RECTIFIER_JSON_LIST:
    case RECTIFIER_JSON_OBJECT:
        rectifier_put_text(out, fields ? "{" : "[");
        for (size_t at = 0; at < value->count; at++) {
            if (at > 0)
                rectifier_put_text(out, ",");
            if (fields) {
                write_string(out, value->names[at]);
                rectifier_put_text(out, ":");
            }
            write_value(out, &value->values[at]);
        }
        rectifier_put_text(out, fields ? "}" : "]");
        break;
    }
}

rectifier_string rectifier_json_text(const rectifier_json *value)
{
    rectifier_buffer out = {NULL, 0, 0};
    write_value(&out, value);
    return rectifier_put_all(&out);
}

rectifier_string rectifier_json_shown(const rectifier_json *value)
{
    if (value->kind == RECTIFIER_JSON_LIST)
        return rectifier_text("a list");
    if (value->kind == RECTIFIER_JSON_OBJECT)
        return rectifier_text("an object");
    rectifier_string text = rectifier_json_text(value);
    /* A message is one line; and no character is cut in half. */
    size_t len = text.len;
    if (len > 60) {
        for (len = 60; (text.ptr[len] & 0xC0) == 0x80; len--) {}
        return rectifier_format("%.*s…", (int)len, (const char *)text.ptr);
    }
    return text;
}
