/* Write Rectifier policies in C, or in C++.
 *
 *     #include <rectifier.h>
 *
 *     static rectifier_answer decide(const rectifier_observation *seen, const rectifier_no_settings *settings)
 *     {
 *         (void)settings;
 *         rectifier_remedy restart = rectifier_restart("containerd.service");
 *         if (rectifier_tried(&seen->episode, restart) == 0)
 *             return rectifier_because(restart, "containerd has not been restarted yet");
 *         return rectifier_because(rectifier_escalate(), "a restart did not help");
 *     }
 *
 *     RECTIFIER_POLICY(rectifier_no_settings, rectifier_read_no_settings, decide)
 *
 * The types are those of the contract, sdk/wit/policy.wit, where each field is explained; generated/policy.h is generated
 * from it, and here they have short names.
 *
 * Memory. What is passed to a policy lives until it has answered, and so does everything that a function of this header
 * makes: nothing is ever freed by a policy. An answer may point to all of that, and to literals; the SDK copies it.
 *
 * Strings of the contract are a place and a length, without a NUL; printf shows them with RECTIFIER_TEXT and
 * RECTIFIER_SHOW. Strings that a policy itself names are C's own, and are UTF-8.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECTIFIER_H
#define RECTIFIER_H

#define RECTIFIER_VERSION "0.1.0"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "generated/policy.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __GNUC__
#define RECTIFIER_PRINTF(text_at, values_at) __attribute__((format(printf, text_at, values_at)))
#define RECTIFIER_NO_RETURN __attribute__((noreturn))
#else
#define RECTIFIER_PRINTF(text_at, values_at)
#define RECTIFIER_NO_RETURN
#endif

/* --- The contract's types ------------------------------------------------------------------------------------------------ */

typedef policy_string_t rectifier_string;
typedef rectifier_policy_types_observation_t rectifier_observation;
typedef rectifier_policy_types_moment_t rectifier_moment;
typedef rectifier_policy_types_node_t rectifier_node;
typedef rectifier_policy_types_site_t rectifier_site;
typedef rectifier_policy_types_node_view_t rectifier_node_view;
typedef rectifier_policy_types_cluster_view_t rectifier_cluster_view;
typedef rectifier_policy_types_unit_t rectifier_unit;
typedef rectifier_policy_types_fix_t rectifier_fix;
typedef rectifier_policy_types_gate_t rectifier_gate;
typedef rectifier_policy_types_group_t rectifier_group;
typedef rectifier_policy_types_server_t rectifier_server;
typedef rectifier_policy_types_episode_t rectifier_episode;
typedef rectifier_policy_types_attempt_t rectifier_attempt;
typedef rectifier_policy_types_condition_t rectifier_condition;
typedef rectifier_policy_types_event_count_t rectifier_event_count;
typedef rectifier_policy_types_pair_t rectifier_pair;
typedef rectifier_policy_types_remedy_t rectifier_remedy;
typedef rectifier_policy_types_unit_call_t rectifier_unit_call;
typedef rectifier_policy_types_fix_call_t rectifier_fix_call;
typedef rectifier_policy_types_decision_t rectifier_decision;
typedef rectifier_policy_types_status_t rectifier_status;
typedef rectifier_policy_types_freshness_t rectifier_freshness;
typedef rectifier_policy_types_outcome_t rectifier_outcome;
typedef rectifier_policy_types_unit_verb_t rectifier_unit_verb;

#define RECTIFIER_STATUS_YES RECTIFIER_POLICY_TYPES_STATUS_YES
#define RECTIFIER_STATUS_NO RECTIFIER_POLICY_TYPES_STATUS_NO
#define RECTIFIER_STATUS_UNKNOWN RECTIFIER_POLICY_TYPES_STATUS_UNKNOWN

#define RECTIFIER_FRESHNESS_FRESH RECTIFIER_POLICY_TYPES_FRESHNESS_FRESH
#define RECTIFIER_FRESHNESS_STALE RECTIFIER_POLICY_TYPES_FRESHNESS_STALE
#define RECTIFIER_FRESHNESS_MISSING RECTIFIER_POLICY_TYPES_FRESHNESS_MISSING

#define RECTIFIER_OUTCOME_RUNNING RECTIFIER_POLICY_TYPES_OUTCOME_RUNNING
#define RECTIFIER_OUTCOME_RECOVERED RECTIFIER_POLICY_TYPES_OUTCOME_RECOVERED
#define RECTIFIER_OUTCOME_NO_EFFECT RECTIFIER_POLICY_TYPES_OUTCOME_NO_EFFECT
#define RECTIFIER_OUTCOME_FAILED RECTIFIER_POLICY_TYPES_OUTCOME_FAILED
#define RECTIFIER_OUTCOME_REFUSED RECTIFIER_POLICY_TYPES_OUTCOME_REFUSED
#define RECTIFIER_OUTCOME_UNKNOWN RECTIFIER_POLICY_TYPES_OUTCOME_UNKNOWN

#define RECTIFIER_UNIT_VERB_RESTART RECTIFIER_POLICY_TYPES_UNIT_VERB_RESTART
#define RECTIFIER_UNIT_VERB_START RECTIFIER_POLICY_TYPES_UNIT_VERB_START
#define RECTIFIER_UNIT_VERB_STOP_START RECTIFIER_POLICY_TYPES_UNIT_VERB_STOP_START
#define RECTIFIER_UNIT_VERB_RESET_FAILED RECTIFIER_POLICY_TYPES_UNIT_VERB_RESET_FAILED

/* The tags of `rectifier_gate`, `rectifier_site` and `rectifier_remedy`; what comes with a tag is in `val`. */
#define RECTIFIER_GATE_OPEN RECTIFIER_POLICY_TYPES_GATE_OPEN
#define RECTIFIER_GATE_CLOSED RECTIFIER_POLICY_TYPES_GATE_CLOSED

#define RECTIFIER_SITE_NODE RECTIFIER_POLICY_TYPES_SITE_NODE
#define RECTIFIER_SITE_CONTROL_PLANE RECTIFIER_POLICY_TYPES_SITE_CONTROL_PLANE

#define RECTIFIER_REMEDY_DECLINE RECTIFIER_POLICY_TYPES_REMEDY_DECLINE
#define RECTIFIER_REMEDY_WAIT RECTIFIER_POLICY_TYPES_REMEDY_WAIT
#define RECTIFIER_REMEDY_UNIT RECTIFIER_POLICY_TYPES_REMEDY_UNIT
#define RECTIFIER_REMEDY_FIX RECTIFIER_POLICY_TYPES_REMEDY_FIX
#define RECTIFIER_REMEDY_REBOOT RECTIFIER_POLICY_TYPES_REMEDY_REBOOT
#define RECTIFIER_REMEDY_ESCALATE RECTIFIER_POLICY_TYPES_REMEDY_ESCALATE
#define RECTIFIER_REMEDY_REPLACE RECTIFIER_POLICY_TYPES_REMEDY_REPLACE

/* --- Memory and strings ------------------------------------------------------------------------------------------------- */

/* Zeroed memory that lives until the policy has answered. Never NULL: a policy without memory panics. */
void *rectifier_alloc(size_t size);

/* printf("… " RECTIFIER_TEXT " …", RECTIFIER_SHOW(unit->name)) */
#define RECTIFIER_TEXT "%.*s"
#define RECTIFIER_SHOW(string) (int)(string).len, (const char *)(string).ptr

/* The contract's form of a C string, which it points to. */
rectifier_string rectifier_text(const char *text);
/* A new string as printf writes it. */
rectifier_string rectifier_format(const char *format, ...) RECTIFIER_PRINTF(1, 2);
/* A copy with a NUL behind it. A NUL within it ends it for C. */
const char *rectifier_cstr(rectifier_string text);

/* Is it this text? NULL, as for a label that is not there, is no text. */
bool rectifier_is(const rectifier_string *text, const char *other);
/* Does it begin so? Likewise. */
bool rectifier_starts_with(const rectifier_string *text, const char *beginning);
/* Are they the same bytes? */
bool rectifier_same(rectifier_string one, rectifier_string other);
/* Below, at or above 0, as memcmp: for sorting. */
int rectifier_compare(rectifier_string one, rectifier_string other);

/* --- Questions that every policy asks ------------------------------------------------------------------------------------ */

/* The kind of problem to decide on. */
const rectifier_string *rectifier_problem(const rectifier_observation *seen);
/* Is the problem there? Not if it is gone, and not if nobody knows. */
bool rectifier_problem_is_there(const rectifier_observation *seen);
/* Can the site's own view be trusted? */
bool rectifier_is_fresh(const rectifier_observation *seen);
/* What the node's engine sees; NULL if it is not the one that asks. */
const rectifier_node_view *rectifier_on_node(const rectifier_observation *seen);
/* What the control plane sees; NULL if it is not the one that asks. */
const rectifier_cluster_view *rectifier_in_control_plane(const rectifier_observation *seen);
/* The condition of this kind, or NULL. */
const rectifier_condition *rectifier_condition_of(const rectifier_observation *seen, const char *kind);
/* The value of the node's label, or NULL. */
const rectifier_string *rectifier_label(const rectifier_observation *seen, const char *name);
/* The fact of this name; NULL if it cannot be told or the metadata do not need it. */
const rectifier_string *rectifier_fact(const rectifier_observation *seen, const char *name);

/* How often exactly this was carried out in this episode, or begun. What was refused was not. */
size_t rectifier_tried(const rectifier_episode *episode, rectifier_remedy remedy);
/* The next older attempt at exactly this remedy; the newest one after NULL; NULL if there are no more. */
const rectifier_attempt *rectifier_attempt_at(const rectifier_episode *episode, rectifier_remedy remedy,
                                              const rectifier_attempt *after);
/* The remedy that is under way, or NULL. */
const rectifier_attempt *rectifier_running(const rectifier_episode *episode);
/* The newest attempt, or NULL. */
const rectifier_attempt *rectifier_last(const rectifier_episode *episode);
/* Are they the same remedy, with the same name, verb, arguments or seconds? */
bool rectifier_same_remedy(rectifier_remedy one, rectifier_remedy other);

/* The unit of this name; NULL if the operator does not allow it or the metadata do not need it, or if `view` is NULL. */
const rectifier_unit *rectifier_unit_of(const rectifier_node_view *view, const char *name);
/* The fix of this name, likewise. */
const rectifier_fix *rectifier_fix_of(const rectifier_node_view *view, const char *name);
/* May it be done now? */
bool rectifier_is_open(const rectifier_gate *gate);
/* The guard rail that says no, for people; NULL if the gate is open. */
const rectifier_string *rectifier_closed_by(const rectifier_gate *gate);

/* --- Answers ------------------------------------------------------------------------------------------------------------- */

/* What a policy says: a decision, or why none can be made at all. */
typedef struct {
    bool decided;
    /* If it decided. */
    rectifier_decision decision;
    /* If not: one line for the operator. It counts as a failure of the policy. */
    rectifier_string error;
} rectifier_answer;

/* Not mine: the next less specific policy is asked. */
rectifier_remedy rectifier_decline(void);
/* Nothing now; ask again after so many seconds, or as soon as something changes. */
rectifier_remedy rectifier_wait(uint32_t seconds);
/* Node only: restart a systemd unit. */
rectifier_remedy rectifier_restart(const char *unit);
/* Node only: do something to a systemd unit. */
rectifier_remedy rectifier_do(rectifier_unit_verb verb, const char *unit);
/* Node only: run a fix. It has no arguments until `rectifier_with` gives it some. */
rectifier_remedy rectifier_run_fix(const char *name);
/* The same fix with one more argument, named as one of its params. Panics if the remedy is no fix. */
rectifier_remedy rectifier_with(rectifier_remedy fix, const char *param, const char *value);
/* Node: ask the control plane for the grant. Control plane: reboot out of band, or start it if it is shut off. */
rectifier_remedy rectifier_reboot(void);
/* Node: to the control plane. Control plane: to a person. */
rectifier_remedy rectifier_escalate(void);
/* Control plane only: a similar server, Ready, before this one is drained and deleted. */
rectifier_remedy rectifier_replace(void);

/* This remedy, and why: one line for people, at most 1024 bytes. */
rectifier_answer rectifier_because(rectifier_remedy remedy, const char *format, ...) RECTIFIER_PRINTF(2, 3);
/* It cannot be decided, and why: one line for the operator. For a problem that is somebody else's decline instead. */
rectifier_answer rectifier_cannot(const char *format, ...) RECTIFIER_PRINTF(1, 2);
/* Watch for so many seconds after the remedy before judging it. */
rectifier_answer rectifier_settle(rectifier_answer answer, uint32_t seconds);
/* Adds a note for the record. A name may be used once. */
rectifier_answer rectifier_note(rectifier_answer answer, const char *name, const char *value);
/* The same with strings of the contract. */
rectifier_answer rectifier_note_string(rectifier_answer answer, rectifier_string name, rectifier_string value);

/* --- The operator's log --------------------------------------------------------------------------------------------------- */

/* For the policy's author. */
void rectifier_debug(const char *format, ...) RECTIFIER_PRINTF(1, 2);
/* For whoever reads the story of a repair. */
void rectifier_info(const char *format, ...) RECTIFIER_PRINTF(1, 2);
/* Somebody should look at it today. */
void rectifier_warn(const char *format, ...) RECTIFIER_PRINTF(1, 2);
/* Something is wrong; the engine writes it as a warning. */
void rectifier_error(const char *format, ...) RECTIFIER_PRINTF(1, 2);
/* What must not happen has happened: writes it as an error into the log and traps; the policy gives no answer. */
void rectifier_panic(const char *format, ...) RECTIFIER_NO_RETURN RECTIFIER_PRINTF(1, 2);

/* --- Settings ------------------------------------------------------------------------------------------------------------- */

/* An object of the operator's settings. What a policy asks for are the keys that it knows; every other one is refused by
   its name, as is a value of another type. The policy need not look: it is not asked with settings that were refused. */
typedef struct rectifier_object rectifier_object;

/* The value of a key, or `otherwise` if the key is not there. */
bool rectifier_get_bool(rectifier_object *object, const char *key, bool otherwise);
uint32_t rectifier_get_u32(rectifier_object *object, const char *key, uint32_t otherwise);
/* Up to 2^53-1: beyond it JSON is not exact. */
uint64_t rectifier_get_u64(rectifier_object *object, const char *key, uint64_t otherwise);
/* From -(2^53-1) to 2^53-1. */
int64_t rectifier_get_i64(rectifier_object *object, const char *key, int64_t otherwise);
double rectifier_get_number(rectifier_object *object, const char *key, double otherwise);
const char *rectifier_get_string(rectifier_object *object, const char *key, const char *otherwise);
/* An object within; an empty one if the key is not there. */
rectifier_object *rectifier_get_object(rectifier_object *object, const char *key);
/* How many items a list has; 0 if the key is not there. */
size_t rectifier_get_count(rectifier_object *object, const char *key);
/* One of them. Panics if there are not so many. */
const char *rectifier_get_string_item(rectifier_object *object, const char *key, size_t index);
rectifier_object *rectifier_get_object_item(rectifier_object *object, const char *key, size_t index);

/* Is the key there? */
bool rectifier_has(rectifier_object *object, const char *key);
/* Refuses the settings if the key is not there. */
void rectifier_need(rectifier_object *object, const char *key);
/* Refuses the settings: "settings.KEY is 0: …", of which `format` is what comes behind the key. The first refusal counts. */
void rectifier_refuse(rectifier_object *object, const char *key, const char *format, ...) RECTIFIER_PRINTF(3, 4);
/* Refuses the settings in these words. */
void rectifier_refuse_all(rectifier_object *object, const char *format, ...) RECTIFIER_PRINTF(2, 3);

/* --- JSON ----------------------------------------------------------------------------------------------------------------- */

typedef enum {
    RECTIFIER_JSON_NULL,
    RECTIFIER_JSON_BOOL,
    RECTIFIER_JSON_NUMBER,
    RECTIFIER_JSON_STRING,
    RECTIFIER_JSON_LIST,
    RECTIFIER_JSON_OBJECT
} rectifier_json_kind;

typedef struct rectifier_json rectifier_json;

struct rectifier_json {
    rectifier_json_kind kind;
    /* Of a bool. */
    bool truth;
    /* Of a string; of a number as it was written. */
    rectifier_string text;
    /* Of a list its items, of an object its fields: `names[i]` has `values[i]`. */
    size_t count;
    rectifier_string *names;
    rectifier_json *values;
};

/* The value of a document, at most 128 levels deep, no key twice. NULL, and the error says where and why, if it is none. Numbers
   point into the text. */
const rectifier_json *rectifier_json_parse(rectifier_string text, rectifier_string *error);
/* A value as text. */
rectifier_string rectifier_json_text(const rectifier_json *value);
/* The field of an object; NULL if it has none of that name, or is no object. */
const rectifier_json *rectifier_json_at(const rectifier_json *value, const char *name);
/* The integer that a number is. No integer has a point or an exponent, or a size above 2^64-1. */
bool rectifier_json_integer(const rectifier_json *value, bool *negative, uint64_t *size);
/* A value of the settings as it stands there, or NULL. */
const rectifier_json *rectifier_get_json(rectifier_object *object, const char *key);

/* As sdk/schema/v0.1/question.json has it: names in camelCase, a list of pairs as an object, a case with a payload as an
   object with one key, and what is absent as an absent key. */
const rectifier_json *rectifier_observation_to_json(const rectifier_observation *seen);
/* The same way back: for tests, with what `rectifier policy run --print-observation` writes. NULL, and the error names the
   place, if something is missing, of another type, or not known. */
const rectifier_observation *rectifier_observation_from_json(const rectifier_json *value, rectifier_string *error);
/* Of its JSON form: "reboot", {"wait": 30}, {"unit": {"name": "kubelet.service", "verb": "restart"}}. False, and the error
   says why, if it is no remedy. */
bool rectifier_remedy_from_json(const rectifier_json *value, rectifier_remedy *remedy, rectifier_string *error);
const rectifier_json *rectifier_remedy_to_json(const rectifier_remedy *remedy);

/* --- The policy ----------------------------------------------------------------------------------------------------------- */

/* A policy without its types: what RECTIFIER_POLICY makes. */
typedef struct {
    size_t settings_size;
    void (*read)(rectifier_object *said, void *settings);
    rectifier_answer (*decide)(const rectifier_observation *seen, const void *settings);
} rectifier_policy;

/* Of the module; by RECTIFIER_POLICY. */
extern const rectifier_policy rectifier_this_policy;

/* Makes a component of a policy: a pure function of what is seen and of the operator's settings. It stands once in a module.
 *
 *   Settings  a type; it is zeroed before it is read
 *   read      void (*)(rectifier_object *said, Settings *settings): reads what the operator's sidecar says under `settings`,
 *             and refuses what is not usable. Asked when the policy is loaded, and before every decision.
 *   decide    rectifier_answer (*)(const rectifier_observation *seen, const Settings *settings)
 */
#define RECTIFIER_POLICY(Settings, read_settings, decide_)                                                                     \
    static void rectifier_read_settings(rectifier_object *said, void *settings)                                                \
    {                                                                                                                          \
        read_settings(said, (Settings *)settings);                                                                             \
    }                                                                                                                          \
    static rectifier_answer rectifier_decide(const rectifier_observation *seen, const void *settings)                          \
    {                                                                                                                          \
        return decide_(seen, (const Settings *)settings);                                                                      \
    }                                                                                                                          \
    const rectifier_policy rectifier_this_policy = {sizeof(Settings), rectifier_read_settings, rectifier_decide};

/* The settings of a policy that has none: a sidecar that gives some is refused. */
typedef struct {
    char nothing;
} rectifier_no_settings;

void rectifier_read_no_settings(rectifier_object *said, rectifier_no_settings *settings);

/* The exports, for tests on the machine itself. Both are given the settings as the engine gives them: a JSON document.
   They free nothing: a test may look at what it got, and then call rectifier_forget. */
bool rectifier_check(const rectifier_policy *policy, rectifier_string settings, rectifier_string *error);
rectifier_answer rectifier_ask(const rectifier_policy *policy, const rectifier_observation *seen, rectifier_string settings);
/* Frees all that was made since the last call of it. For tests: in a component the SDK does it. */
void rectifier_forget(void);

#ifdef __cplusplus
}
#endif

#endif
