//! What the API server was asked, from its own record.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// Between two looks at a log that has not grown. The API server writes a record before it answers,
/// so this is no race, only latency.
const LOOK: Duration = Duration::from_millis(20);

/// The audit log: a JSON document a line, one for each finished request.
#[derive(Debug, Clone)]
pub struct Audit {
    file: PathBuf,
}

/// One finished request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When the API server received it.
    pub received: Timestamp,
    /// When it had answered; a watch's answer is its end.
    pub answered: Timestamp,
    /// Who asked.
    pub user: String,
    /// With which program.
    pub agent: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// What it was about; the default where it was no object (`/readyz`).
    pub object: Object,
    /// The HTTP status.
    pub code: u16,
    /// What was sent, where `audit-policy.yaml` keeps it: of Nodes and repairs, and what
    /// NPD and kubelets report; else null.
    pub body: Value,
}

/// What a request was about; empty where it names nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Object {
    /// For example `apps`, or "".
    #[serde(rename = "apiGroup")]
    pub group: String,
    /// In the plural: `nodes`.
    pub resource: String,
    /// For example `status`, `eviction`.
    pub subresource: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name; of a list, "".
    pub name: String,
}

impl Audit {
    pub(super) fn new(file: PathBuf) -> Self {
        Self { file }
    }

    /// The log itself.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// All records until now.
    ///
    /// # Errors
    /// If the log cannot be read, or a line in it is not what we know.
    pub fn records(&self) -> Result<Vec<Record>> {
        let mut follow = self.follow()?;
        let mut records = Vec::new();
        while let Some(record) = follow.try_next()? {
            records.push(record);
        }
        Ok(records)
    }

    /// Reads the log from its beginning, and goes on as it grows.
    ///
    /// # Errors
    /// If there is no log.
    pub fn follow(&self) -> Result<Follow> {
        let file = File::open(&self.file).with_context(|| self.file.display().to_string())?;
        Ok(Follow {
            log: BufReader::new(file),
            line: Vec::new(),
        })
    }

    /// The first record, of those until now and those to come, that `wanted` accepts. It waits for
    /// ever: a limit, where there should be one, is the test's.
    ///
    /// # Errors
    /// As [`Audit::records`].
    pub async fn wait_for(&self, mut wanted: impl FnMut(&Record) -> bool) -> Result<Record> {
        let mut follow = self.follow()?;
        loop {
            let record = follow.next().await?;
            if wanted(&record) {
                return Ok(record);
            }
        }
    }
}

/// A reader of the log that stands somewhere in it.
#[derive(Debug)]
pub struct Follow {
    log: BufReader<File>,
    /// The part of a line that has been written so far.
    line: Vec<u8>,
}

impl Follow {
    /// The next record, when it comes.
    ///
    /// # Errors
    /// As [`Audit::records`].
    pub async fn next(&mut self) -> Result<Record> {
        loop {
            if let Some(record) = self.try_next()? {
                return Ok(record);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The next record, if it is there.
    ///
    /// # Errors
    /// As [`Audit::records`].
    pub fn try_next(&mut self) -> Result<Option<Record>> {
        self.log.read_until(b'\n', &mut self.line)?;
        if self.line.last() != Some(&b'\n') {
            return Ok(None);
        }
        let line: Line = serde_json::from_slice(&self.line)
            .with_context(|| format!("audit record {}", String::from_utf8_lossy(&self.line)))?;
        self.line.clear();
        Ok(Some(Record {
            received: line.request_received_timestamp,
            answered: line.stage_timestamp,
            user: line.user.username,
            agent: line.user_agent,
            verb: line.verb,
            object: line.object_ref,
            code: line.response_status.code,
            body: line.request_object,
        }))
    }
}

/// `audit.k8s.io/v1` Event, as far as we read it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    request_received_timestamp: Timestamp,
    stage_timestamp: Timestamp,
    user: User,
    #[serde(default)]
    user_agent: String,
    verb: String,
    #[serde(default)]
    object_ref: Object,
    #[serde(default)]
    response_status: Status,
    #[serde(default)]
    request_object: Value,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Deserialize, Default)]
struct Status {
    #[serde(default)]
    code: u16,
}
