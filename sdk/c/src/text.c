/* Strings: a place and a length, as the contract has them. */

#include "inner.h"

#include <stdio.h>

rectifier_string rectifier_text(const char *text)
{
    /* The generated type has no const; nobody writes through it. */
    rectifier_string borrowed = {(uint8_t *)(uintptr_t)text, strlen(text)};
    return borrowed;
}

const char *rectifier_cstr(rectifier_string text)
{
    char *copy = rectifier_alloc(text.len + 1);
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    return copy;
}

int rectifier_compare(rectifier_string one, rectifier_string other)
{
    size_t both = one.len < other.len ? one.len : other.len;
    int order = both == 0 ? 0 : memcmp(one.ptr, other.ptr, both);
    return order != 0 ? order : (one.len > other.len) - (one.len < other.len);
}

bool rectifier_same(rectifier_string one, rectifier_string other)
{
    return rectifier_compare(one, other) == 0;
}

bool rectifier_is(const rectifier_string *text, const char *other)
{
    return text != NULL && rectifier_same(*text, rectifier_text(other));
}

bool rectifier_starts_with(const rectifier_string *text, const char *beginning)
{
    size_t len = strlen(beginning);
    return text != NULL && text->len >= len && (len == 0 || memcmp(text->ptr, beginning, len) == 0);
}

rectifier_string rectifier_format_list(const char *format, va_list values)
{
    va_list again;
    va_copy(again, values);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (len < 0)
        rectifier_panic("no text can be made of %s", format);
    char *text = rectifier_alloc((size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, format, values);
    rectifier_string made = {(uint8_t *)text, (size_t)len};
    return made;
}

rectifier_string rectifier_format(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    rectifier_string made = rectifier_format_list(format, values);
    va_end(values);
    return made;
}

/* The table of the Unicode standard, section 3.9: no overlong form, no surrogate, nothing above U+10FFFF. */
rectifier_string rectifier_utf8_of(rectifier_string text)
{
    rectifier_string well = {text.ptr, 0};
    for (size_t at = 0; at < text.len; well.len = at) {
        uint8_t first = text.ptr[at++], low = 0x80, high = 0xBF;
        int more;
        if (first < 0x80)
            continue;
        if (first >= 0xC2 && first <= 0xDF) {
            more = 1;
        } else if (first >= 0xE0 && first <= 0xEF) {
            more = 2;
            low = first == 0xE0 ? 0xA0 : low;
            high = first == 0xED ? 0x9F : high;
        } else if (first >= 0xF0 && first <= 0xF4) {
            more = 3;
            low = first == 0xF0 ? 0x90 : low;
            high = first == 0xF4 ? 0x8F : high;
        } else {
            return well;
        }
        for (; more > 0; more--, low = 0x80, high = 0xBF) {
            if (at == text.len || text.ptr[at] < low || text.ptr[at] > high)
                return well;
            at++;
        }
    }
    return well;
}

bool rectifier_is_utf8(rectifier_string text)
{
    return rectifier_utf8_of(text).len == text.len;
}
