//! `rectifier-engine history`: what the engine of this node has seen and done, as it remembers it itself. It needs neither the API
//! server nor rights: it asks the engine on loopback.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rectifier_node::Told;

/// It answers from memory.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Some hundred sentences.
const ANSWER_LIMIT: usize = 4 << 20;

/// How it is called.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only this problem's, e.g. KubeletUnhealthy
    #[arg(long)]
    problem: Option<String>,
    /// How it is written
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Where the node engine listens
    #[arg(long, env = "RECTIFIER_LISTEN", default_value = "127.0.0.1:20258")]
    listen: SocketAddr,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Output {
    /// A line each, the newest last
    #[default]
    Table,
    /// A JSON list
    Json,
}

/// Prints it.
///
/// # Errors
/// No node engine answers there.
pub(crate) async fn print(arguments: Arguments) -> anyhow::Result<()> {
    let listen = arguments.listen;
    let asked = tokio::time::timeout(ANSWER_WITHIN, ask(listen)).await;
    let mut told = asked
        .context("no answer in time")
        .flatten()
        .with_context(|| {
            format!("no node engine answers at {listen} (--listen): does it run on this machine?")
        })?;
    if let Some(problem) = &arguments.problem {
        told.retain(|told| told.problem == *problem);
    }
    match arguments.output {
        Output::Json => println!("{}", serde_json::to_string_pretty(&told)?),
        Output::Table => print!("{}", table(&told)),
    }
    Ok(())
}

async fn ask(listen: SocketAddr) -> anyhow::Result<Vec<Told>> {
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let answer = client
        .get(format!("http://{listen}/history").parse()?)
        .await?;
    let status = answer.status();
    ensure!(
        status.is_success(),
        "it answers {status}: it is no node engine"
    );
    let body = Limited::new(answer.into_body(), ANSWER_LIMIT);
    let body = body.collect().await.map_err(anyhow::Error::from_boxed)?;
    Ok(serde_json::from_slice(&body.to_bytes())?)
}

fn table(told: &[Told]) -> String {
    let width = |of: fn(&Told) -> &str| told.iter().map(|told| of(told).len()).max().unwrap_or(0);
    let (problem, reason) = (width(|told| &told.problem), width(|told| &told.reason));
    let mut table = String::new();
    for told in told {
        let at = told.at.strftime("%Y-%m-%d %H:%M:%SZ");
        let line = format!(
            "{at}  {:problem$}  {:reason$}  {}\n",
            told.problem, told.reason, told.text
        );
        table.push_str(&line);
    }
    if table.is_empty() {
        table.push_str("nothing was told of this node yet\n");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_each_in_columns() {
        let told = |problem: &str, reason: &str| Told {
            at: "2026-11-28T08:00:00.5Z".parse().unwrap(),
            problem: problem.to_owned(),
            reason: reason.to_owned(),
            text: "the problem is there".to_owned(),
            warns: true,
        };
        let all = [told("A", "ProblemSeen"), told("LongName", "B")];
        assert_eq!(
            table(&all),
            "2026-11-28 08:00:00Z  A         ProblemSeen  the problem is there\n\
             2026-11-28 08:00:00Z  LongName  B            the problem is there\n"
        );
        assert!(table(&[]).contains("nothing"));
    }
}
