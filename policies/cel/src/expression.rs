//! Expressions: what they may name, what is wrong with one, and whether one holds.

use std::collections::HashMap;

use cel_lang::common::ast::{EntryExpr, Expr, IdedEntryExpr};
use cel_lang::parser::Expression;
use cel_lang::{Context, ParseErrors, Program, Value};
use rectifier_policy::prelude::*;
use serde_json::Value as Json;

/// What an expression can name: the observation's own fields, and its problem.
const NAMES: [&str; 10] = [
    "id",
    "now",
    "node",
    "site",
    "episode",
    "otherEpisodes",
    "conditions",
    "events",
    "facts",
    "problem",
];

/// An observation as expressions see it.
pub struct Sight(Context<'static>);

impl Sight {
    pub fn of(seen: &Observation) -> Self {
        let mut context = Context::default();
        let seen = seen.to_json();
        for name in NAMES {
            let value = match name {
                "problem" => &seen["episode"]["problem"],
                own => &seen[own],
            };
            context.add_variable_from_value(name, cel_value(value));
        }
        Self(context)
    }
}

/// Numbers are integers, so that they can be reckoned with each other.
fn cel_value(value: &Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(is) => Value::Bool(*is),
        Json::Number(number) => Value::Int(number.as_i64().unwrap_or(i64::MAX)),
        Json::String(text) => Value::from(text.clone()),
        Json::Array(items) => Value::from(items.iter().map(cel_value).collect::<Vec<_>>()),
        Json::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, field)| (name.clone(), cel_value(field)));
            Value::from(fields.collect::<HashMap<String, Value>>())
        }
    }
}

/// # Errors
/// It does not parse, or names what there is not: where, and what there is.
pub fn check(text: &str) -> Result<(), String> {
    let program = Program::compile(text).map_err(|errors| said(&errors))?;
    let Some(name) = unknown(program.expression(), &mut NAMES.to_vec()) else {
        return Ok(());
    };
    let (line, column) = place(text, &name);
    Err(format!(
        "line {line}, column {column}: there is no {name}; there are {}",
        NAMES.join(", ")
    ))
}

/// The first name in it that is not `known`. What a comprehension (`exists(c, …)`) names is known within it.
fn unknown<'a>(expression: &'a Expression, known: &mut Vec<&'a str>) -> Option<String> {
    let mut of = |all: Vec<&'a Expression>| all.into_iter().find_map(|one| unknown(one, known));
    match &expression.expr {
        Expr::Unspecified | Expr::Literal(_) => None,
        // the accumulators of comprehensions
        Expr::Ident(name) if name.starts_with('@') => None,
        Expr::Ident(name) => (!known.contains(&name.as_str())).then(|| name.clone()),
        Expr::Select(select) => unknown(&select.operand, known),
        Expr::Call(call) => of(call
            .target
            .as_deref()
            .into_iter()
            .chain(&call.args)
            .collect()),
        Expr::List(list) => of(list.elements.iter().collect()),
        Expr::Map(map) => of(map.entries.iter().flat_map(entry).collect()),
        Expr::Struct(made) => of(made.entries.iter().flat_map(entry).collect()),
        Expr::Comprehension(each) => {
            if let Some(name) = unknown(&each.iter_range, known) {
                return Some(name);
            }
            let before = known.len();
            known.extend([each.iter_var.as_str(), each.accu_var.as_str()]);
            known.extend(each.iter_var2.as_deref());
            let parts = [
                &each.accu_init,
                &each.loop_cond,
                &each.loop_step,
                &each.result,
            ];
            let found = parts.into_iter().find_map(|part| unknown(part, known));
            known.truncate(before);
            found
        }
    }
}

fn entry(entry: &IdedEntryExpr) -> Vec<&Expression> {
    match &entry.expr {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}

/// Line and column, both from 1, of a name that stands there as a word of its own.
fn place(text: &str, name: &str) -> (usize, usize) {
    let in_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let is_own = |at: &usize| {
        let before = text[..*at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        !before.is_some_and(in_word) && !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
    };
    let mut places = text.match_indices(name).map(|(at, _)| at);
    let before = &text[..places.find(is_own).unwrap_or_default()];
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count();
    (before.matches('\n').count() + 1, column + 1)
}

fn said(errors: &ParseErrors) -> String {
    let each = errors.errors.iter().map(|error| {
        let (line, column) = error.pos;
        format!("line {line}, column {column}: {}", error.msg)
    });
    each.collect::<Vec<_>>().join("; ")
}

/// # Errors
/// It does not parse, cannot be reckoned (a key that is not there, a text compared with a number), or is neither true nor false.
pub fn holds(text: &str, sight: &Sight) -> Result<bool, String> {
    let program = Program::compile(text).map_err(|errors| said(&errors))?;
    match program.execute(&sight.0) {
        Ok(Value::Bool(holds)) => Ok(holds),
        Ok(other) => Err(format!(
            "it is {:?}, neither true nor false",
            other.type_of()
        )),
        Err(error) => Err(error.to_string()),
    }
}
