//! A thread of its own for everything else the engine hears: with one thread for all, a signal must be heard while
//! policies loop.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, bail};
use rectifier_core::policy::FailureClass;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::alone::alone;
use super::guest::Guest;
use super::host::Host;
use super::vitals::Vitals;

/// So many signals, one after the other, each sent when the last one was answered.
const SIGNALS: u8 = 20;

/// As a bus does: sends a signal, waits for its answer, sends the next.
fn send(mut bus: UnixStream) -> Result<()> {
    for signal in 0..SIGNALS {
        bus.write_all(&[signal])?;
        let mut answer = [0];
        bus.read_exact(&mut answer)?;
        if answer != [signal] {
            bail!("signal {signal} was answered by {answer:?}");
        }
    }
    Ok(())
}

/// As an engine does: a task that hears signals.
async fn hear(bus: UnixStream) -> Result<()> {
    bus.set_nonblocking(true)?;
    let mut bus = tokio::net::UnixStream::from_std(bus)?;
    let mut signal = [0];
    while bus.read(&mut signal).await? > 0 {
        bus.write_all(&signal).await?;
    }
    Ok(())
}

#[test]
fn signals_are_answered_while_three_policies_loop() -> Result<()> {
    alone(|| async {
        let host = Host::new().await?;
        let names = ["LoopA", "LoopB", "LoopC"];
        host.after(|| {
            names.iter().try_for_each(|name| {
                let loops = Guest {
                    name,
                    decide: "(loop (br 0))",
                    ..Guest::default()
                };
                host.bench.put(&format!("{name}.wasm"), loops.build()?)
            })
        })
        .await?;
        let before = Vitals::at_rest().await?;
        {
            let (ours, theirs) = UnixStream::pair()?;
            let sender = std::thread::spawn(move || send(theirs));
            let looping = async {
                let [a, b, c] = names.map(|name| host.failure(name));
                tokio::join!(a, b, c)
            };
            tokio::pin!(looping);
            // The sender hangs up when the last signal is answered.
            tokio::select! {
                biased;
                ended = &mut looping => bail!("they ended before the signals were answered: {ended:?}"),
                heard = hear(ours) => heard?,
            }
            sender.join().ok().context("the sender panicked")??;
            host.is_well().await?;
            // The loops are dropped here, in the middle of a call.
        }
        host.is_well().await?;
        before.are_back().await
    })
}

/// The same of the loops themselves: each is told that its time is over, and meanwhile signals are answered.
#[test]
fn loops_end_at_their_limit_whatever_is_signalled_meanwhile() -> Result<()> {
    alone(|| async {
        let host = Host::new().await?;
        host.after(|| {
            let loops = Guest {
                name: "Loops",
                decide: "(loop (br 0))",
                ..Guest::default()
            };
            host.bench
                .put("loops.yaml", "limits: {milliseconds: 200}")?;
            host.bench.put("loops.wasm", loops.build()?)
        })
        .await?;
        let (ours, theirs) = UnixStream::pair()?;
        let flood = std::thread::spawn(move || {
            // until nobody hears any more
            let mut theirs = theirs;
            while theirs.write_all(&[0; 64]).is_ok() {}
        });
        let hearing = async {
            ours.set_nonblocking(true)?;
            let mut bus = tokio::net::UnixStream::from_std(ours)?;
            let mut signals = [0; 64];
            while bus.read(&mut signals).await? > 0 {}
            Ok::<_, anyhow::Error>(())
        };
        let (class, message) = tokio::select! {
            biased;
            heard = hearing => bail!("nobody signals any more: {heard:?}"),
            failure = host.failure("Loops") => failure?,
        };
        assert_eq!(class, FailureClass::Timeout, "{message}");
        flood.join().ok().context("the flood panicked")?;
        host.is_well().await
    })
}
