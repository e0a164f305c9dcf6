//! The contract as a WASI command: JSON on standard input, one JSON document on standard output, log lines on standard
//! error. For every language that has no tools for components.

use rectifier_core::policy::{Decision, FailureClass, Observation, SiteKind};
use wasmtime::{InstancePre, Linker, Store};
use wasmtime_wasi::I32Exit;

use super::json;
use crate::failure::{During, classify};
use crate::guest::{CommandInput, Guest};
use crate::log::one_line;
use crate::{Failure, Needs};

pub(in crate::contract) fn settings_input(settings: &str) -> Result<CommandInput, Failure> {
    Ok(CommandInput {
        verb: "validate-settings",
        document: json::settings_question(settings).map_err(unwritable)?,
    })
}

pub(in crate::contract) fn decide_input(
    seen: &Observation,
    needs: &Needs,
    settings: &str,
) -> Result<CommandInput, Failure> {
    let shown = needs.show(seen.clone());
    Ok(CommandInput {
        verb: "decide",
        document: json::decide_question(&shown, settings).map_err(unwritable)?,
    })
}

fn unwritable(error: serde_json::Error) -> Failure {
    Failure::new(
        FailureClass::InvalidOutput,
        format!("the question cannot be written as JSON: {error}"),
    )
}

pub(in crate::contract) async fn validate(
    pre: &InstancePre<Guest>,
    store: &mut Store<Guest>,
) -> Result<(), Failure> {
    let said = run(pre, store).await?;
    if said.is_empty() {
        return Ok(());
    }
    json::settings_verdict(&said)
}

pub(in crate::contract) async fn decide(
    pre: &InstancePre<Guest>,
    store: &mut Store<Guest>,
    site: SiteKind,
) -> Result<Decision, Failure> {
    let said = run(pre, store).await?;
    json::decision(&said, site)
}

/// `ENOTSOCK` of WASI preview 1.
const NOT_A_SOCKET: i32 = 57;

/// What of WASI's preview 1 is ours: an exit with any code, where wasmtime refuses those from 126 up; and sockets without a
/// word, of which wasmtime writes a line into the engine's log at every call.
pub(in crate::contract) fn replace_in_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    const MODULE: &str = "wasi_snapshot_preview1";
    linker.allow_shadowing(true);
    linker.func_wrap(MODULE, "proc_exit", |code: i32| -> wasmtime::Result<()> {
        Err(I32Exit(code).into())
    })?;
    linker.func_wrap(MODULE, "sock_accept", |_: i32, _: i32, _: i32| NOT_A_SOCKET)?;
    linker.func_wrap(
        MODULE,
        "sock_recv",
        |_: i32, _: i32, _: i32, _: i32, _: i32, _: i32| NOT_A_SOCKET,
    )?;
    linker.func_wrap(
        MODULE,
        "sock_send",
        |_: i32, _: i32, _: i32, _: i32, _: i32| NOT_A_SOCKET,
    )?;
    linker.func_wrap(MODULE, "sock_shutdown", |_: i32, _: i32| NOT_A_SOCKET)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Runs it to its end: what it wrote, if it says that this is valid.
async fn run(pre: &InstancePre<Guest>, store: &mut Store<Guest>) -> Result<String, Failure> {
    let (size, limit) = (store.data().question_bytes, store.data().limits.input_bytes);
    if size > limit {
        return Err(super::input_too_large(size, limit));
    }
    let instance = pre
        .instantiate_async(&mut *store)
        .await
        .map_err(|error| classify(&error, During::Instantiation))?;
    let start = instance
        .get_typed_func::<(), ()>(&mut *store, "_start")
        .map_err(|error| classify(&error, During::Instantiation))?;
    let ended = match start.call_async(&mut *store, ()).await {
        Ok(()) => Ok(0),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(exit) => Ok(exit.0),
            None => Err(classify(&error, During::call_of(store.data()))),
        },
    };
    let (answer, complaint) = store.data_mut().command_said();
    match ended {
        Ok(0) => {}
        Ok(code) => {
            let why = format!("it ended with exit code {code}{}", because(&complaint));
            return Err(Failure::new(FailureClass::Exit, why));
        }
        Err(failure) => {
            let message = format!("{}{}", failure.message, because(&complaint));
            return Err(Failure { message, ..failure });
        }
    }
    let (bytes, overflowed) = answer;
    if overflowed {
        let limit = store.data().limits.output_bytes;
        let why = format!("its answer is longer than the limit of {limit} bytes");
        return Err(Failure::new(FailureClass::InvalidOutput, why));
    }
    String::from_utf8(bytes)
        .map(|text| text.trim().to_owned())
        .map_err(|_| Failure::new(FailureClass::InvalidOutput, "its answer is not UTF-8"))
}

/// What a language says when it gives up: the first line of a Go panic, the last one of a Python traceback.
fn because(complaint: &[String]) -> String {
    match complaint {
        [] => String::new(),
        [only] => format!(": {}", one_line(only)),
        [first, .., last] => format!(": {} … {}", one_line(first), one_line(last)),
    }
}
