//! The engine's memory on disk: an ACID store on the host, written before anything is done (invariant 3), so that
//! neither a restart nor a reboot forgets an attempt.
//!
//! One transaction writes the whole of a [`Memory`]: its episodes, a row each, and what belongs to the node. A file that
//! cannot be trusted is moved aside, never repaired by guessing; the engine then knows that it has forgotten, and does
//! nothing intrusive for the problems that it finds.
//!
//! A disk that is full, or may only be read, is no damage: what is on it is still true. Then nothing is begun (without intent
//! no act), and each write is another try, which opens the file anew.

use std::path::{Path, PathBuf};

use rectifier_core::clock::Timestamp;
use rectifier_core::episode::{Episode, Memory};
use rectifier_core::name::ConditionKind;

use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, ReadableTableMetadata,
    StorageBackend, StorageError, TableDefinition,
};

use crate::history::{KEPT, Told};
use crate::trouble::chain;

/// The layout of the rows. Another one, older or newer, is not guessed at.
const SCHEMA: u64 = 1;
/// What a file that was moved aside is named, and the moment.
const DAMAGED: &str = "journal.redb.damaged-";
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
/// One row: what belongs to the node, as JSON.
const NODE: TableDefinition<&str, &[u8]> = TableDefinition::new("node");
/// A row for each open episode, by the condition's type, as JSON.
const EPISODES: TableDefinition<&str, &[u8]> = TableDefinition::new("episodes");
/// A row for each thing that was told lately, counted upwards, as JSON. For people: a row that cannot be read is passed over.
const TOLD: TableDefinition<u64, &[u8]> = TableDefinition::new("told");

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another engine has it: one that is on its way out, or a second one on this node.
    #[error("the journal {path} is in another engine's hands")]
    Taken {
        /// Which.
        path: PathBuf,
    },
    /// It could not be opened, and not for being damaged.
    #[error("cannot open the journal {path}")]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        source: Box<redb::Error>,
    },
    /// The damaged file could not be moved aside, or its folder not be made.
    #[error("cannot write beside the journal {path}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It could not be opened at the start, and now it can: what it says is not what this process has in mind. Or it was damaged
    /// since.
    #[error("this engine has to begin anew with what the journal {path} says now")]
    Back {
        /// Which.
        path: PathBuf,
    },
    /// A write failed. Nothing may be done that is not written down.
    #[error("cannot write the journal")]
    Write(#[source] Box<redb::Error>),
    /// A memory could not be put into words.
    #[error("cannot encode the journal's rows")]
    Encode(#[source] serde_json::Error),
}

/// What makes a file untrustworthy.
#[derive(Debug, thiserror::Error)]
enum Damage {
    #[error("its layout is version {0}, not {SCHEMA}")]
    Schema(u64),
    #[error("a row cannot be read")]
    Row(#[source] serde_json::Error),
    #[error("a row's name is no condition type: {0}")]
    Name(String),
    #[error(transparent)]
    Store(Box<redb::Error>),
}

impl<E: Into<redb::Error>> From<E> for Damage {
    fn from(error: E) -> Self {
        Damage::Store(Box::new(error.into()))
    }
}

fn write_error(error: impl Into<redb::Error>) -> JournalError {
    JournalError::Write(Box::new(error.into()))
}

/// Opens the file of a journal.
type Open = Box<dyn Fn() -> Result<Database, JournalError> + Send + Sync>;

/// The journal. A lock on its file keeps a second engine out.
pub struct Journal {
    path: PathBuf,
    open: Open,
    /// None after a failure, which redb does not survive, until the file was opened again.
    database: Option<Database>,
    /// None if it could not even be read at the start.
    written: Option<Memory>,
}

impl Journal {
    /// Opens or makes the journal in a folder, and gives what it remembers. `now` names a damaged file that is moved aside.
    ///
    /// # Errors
    /// The file cannot be opened (another engine has it, no permission, no space). A damaged one is no error: it is moved
    /// aside, and what comes back has [`Memory::lost`] set. So it has if there is no journal beside one that was moved
    /// aside: a predecessor was killed between the two steps, and this is no node without a past.
    pub fn open(folder: &Path, now: Timestamp) -> Result<(Self, Memory), JournalError> {
        let path = folder.join("journal.redb");
        std::fs::create_dir_all(folder).map_err(|source| JournalError::Folder {
            path: path.clone(),
            source,
        })?;
        let is_new = !path.exists();
        let damage = match open_file(&path) {
            Ok(database) if is_new => {
                let memory = match moved_aside(folder, &path)? {
                    Some(aside) => {
                        tracing::error!(
                            journal = %path.display(), aside = %aside.display(),
                            "there is no journal beside a damaged one: attempts are forgotten, so what is ill now is escalated, not healed"
                        );
                        Memory::lost()
                    }
                    None => Memory::default(),
                };
                return Self::create(path, database, memory);
            }
            Ok(database) => match read(&database) {
                Ok(memory) => {
                    let mut journal = Self::in_file(path);
                    journal.database = Some(database);
                    journal.written = Some(memory.clone());
                    return Ok((journal, memory));
                }
                Err(damage) => damage,
            },
            Err(DatabaseError::DatabaseAlreadyOpen) => return Err(JournalError::Taken { path }),
            Err(error) if is_new => {
                // no file rather than the beginning of one: that would be damaged, and this node has no past
                let _ = std::fs::remove_file(&path);
                return Err(not_opened(&path, error));
            }
            Err(error) if is_damage(&error) => error.into(),
            Err(error) => return Err(not_opened(&path, error)),
        };
        let aside = folder.join(format!("{DAMAGED}{}", now.as_second()));
        tracing::error!(
            journal = %path.display(), aside = %aside.display(), error = %chain(&damage),
            "the journal is damaged and was moved aside: attempts are forgotten, so what is ill now is escalated, not healed"
        );
        std::fs::rename(&path, &aside).map_err(|source| JournalError::Folder {
            path: path.clone(),
            source,
        })?;
        let database = open_file(&path).map_err(|source| not_opened(&path, source))?;
        Self::create(path, database, Memory::lost())
    }

    /// A journal that cannot be opened now. It takes nothing in; once it can be opened, [`write`](Self::write) says so.
    pub fn closed(folder: &Path, now: Timestamp) -> Self {
        let (path, folder) = (folder.join("journal.redb"), folder.to_owned());
        Self {
            open: Box::new(move || {
                let (journal, _) = Self::open(&folder, now)?;
                let path = journal.path;
                journal.database.ok_or(JournalError::Back { path })
            }),
            ..Self::in_file(path)
        }
    }

    fn in_file(path: PathBuf) -> Self {
        let file = path.clone();
        Self {
            path,
            open: Box::new(move || match open_file(&file) {
                // that is for a new process to look at
                Err(error) if is_damage(&error) => Err(JournalError::Back { path: file.clone() }),
                opened => opened.map_err(|source| not_opened(&file, source)),
            }),
            database: None,
            written: None,
        }
    }

    /// The same on a backend, as a simulator has one in place of a file. There is no place to which a damaged one could be
    /// moved.
    ///
    /// # Errors
    /// It is damaged.
    pub fn on(backend: impl StorageBackend + Clone) -> Result<(Self, Memory), JournalError> {
        let is_new = backend.len().is_ok_and(|length| length == 0);
        let mut journal = Self {
            open: Box::new(move || {
                let mut builder = Database::builder();
                builder.set_cache_size(1 << 20);
                let opened = builder.create_with_backend(backend.clone());
                opened.map_err(|source| not_opened(Path::new("on a backend"), source))
            }),
            ..Self::in_file("on a backend".into())
        };
        let Ok(database) = (journal.open)() else {
            return Ok((journal, Memory::lost()));
        };
        let memory = match is_new {
            true => Memory::default(),
            false => read(&database).map_err(|damage| {
                let damage = redb::Error::Corrupted(chain(&damage));
                not_opened(&journal.path, damage)
            })?,
        };
        journal.database = Some(database);
        if !is_new {
            journal.written = Some(memory.clone());
        }
        match journal.write(&memory) {
            Ok(()) => Ok((journal, memory)),
            Err(_) => Ok((journal, Memory::lost())),
        }
    }

    /// Written at once: a file without rows is a damaged one, and not a node without a past.
    fn create(
        path: PathBuf,
        database: Database,
        memory: Memory,
    ) -> Result<(Self, Memory), JournalError> {
        let mut journal = Self::in_file(path);
        journal.database = Some(database);
        if let Err(error) = journal.write(&memory) {
            // no file rather than one without rows
            let _ = std::fs::remove_file(&journal.path);
            return Err(error);
        }
        Ok((journal, memory))
    }

    /// What was told lately, the newest last; nothing if that cannot be read.
    pub fn told(&self) -> Vec<Told> {
        let database = self.database.as_ref();
        let told = database.and_then(|database| read_told(database).ok());
        told.unwrap_or_default()
    }

    /// It could not be opened, or not be written to when that was tried last.
    pub(crate) fn is_closed(&self) -> bool {
        self.database.is_none()
    }

    /// Writes what is to be remembered, durably, if it differs from what was written last. After a failure the file is opened
    /// anew first.
    ///
    /// # Errors
    /// It is not on the disk: nothing may be done that rests on it. [`JournalError::Back`]: see there.
    pub fn write(&mut self, memory: &Memory) -> Result<(), JournalError> {
        self.write_with(memory, &[])
    }

    /// The same, with what is told at this moment; of that the last [`KEPT`] are kept.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_with(&mut self, memory: &Memory, told: &[Told]) -> Result<(), JournalError> {
        let database = match self.database.take() {
            Some(database) if told.is_empty() && self.written.as_ref() == Some(memory) => {
                self.database = Some(database);
                return Ok(());
            }
            Some(database) => database,
            None => {
                let opened = (self.open)()?;
                if self.written.is_none() {
                    let path = self.path.clone();
                    return Err(JournalError::Back { path });
                }
                opened
            }
        };
        let committed = commit(&database, memory, told);
        // what is for people never keeps a node from being healed
        match committed {
            Err(_) if !told.is_empty() => commit(&database, memory, &[])?,
            committed => committed?,
        }
        self.database = Some(database);
        self.written = Some(memory.clone());
        Ok(())
    }
}

fn commit(database: &Database, memory: &Memory, told: &[Told]) -> Result<(), JournalError> {
    let transaction = database.begin_write().map_err(write_error)?;
    {
        let mut meta = transaction.open_table(META).map_err(write_error)?;
        meta.insert("schema", SCHEMA).map_err(write_error)?;
        let mut node = transaction.open_table(NODE).map_err(write_error)?;
        let rest = Memory {
            episodes: Default::default(),
            ..memory.clone()
        };
        let rest = serde_json::to_vec(&rest).map_err(JournalError::Encode)?;
        node.insert("memory", rest.as_slice())
            .map_err(write_error)?;
        let mut episodes = transaction.open_table(EPISODES).map_err(write_error)?;
        episodes
            .retain(|kind, _| {
                ConditionKind::parse(kind).is_ok_and(|kind| memory.episodes.contains_key(&kind))
            })
            .map_err(write_error)?;
        for (kind, episode) in &memory.episodes {
            let row = serde_json::to_vec(episode).map_err(JournalError::Encode)?;
            episodes
                .insert(kind.as_str(), row.as_slice())
                .map_err(write_error)?;
        }
    }
    if !told.is_empty() {
        let mut rows = transaction.open_table(TOLD).map_err(write_error)?;
        let last = rows.last().map_err(write_error)?;
        let next = last.map_or(0, |(number, _)| number.value() + 1);
        for (number, told) in (next..).zip(told) {
            let row = serde_json::to_vec(told).map_err(JournalError::Encode)?;
            rows.insert(number, row.as_slice()).map_err(write_error)?;
        }
        let kept = u64::try_from(KEPT).unwrap_or(u64::MAX);
        while rows.len().map_err(write_error)? > kept {
            rows.pop_first().map_err(write_error)?;
        }
    }
    transaction.commit().map_err(write_error)
}

fn read_told(database: &Database) -> Result<Vec<Told>, Damage> {
    let transaction = database.begin_read()?;
    let mut told = Vec::new();
    for row in transaction.open_table(TOLD)?.iter()? {
        let (_, row) = row?;
        told.extend(serde_json::from_slice::<Told>(row.value()));
    }
    Ok(told)
}

fn not_opened(path: &Path, source: impl Into<redb::Error>) -> JournalError {
    JournalError::Open {
        path: path.to_owned(),
        source: Box::new(source.into()),
    }
}

/// 1 MiB of cache instead of redb's gigabyte: the whole journal is some kilobytes. The check on opening turns a torn file
/// into an error; without it redb may panic on one.
fn open_file(path: &Path) -> Result<Database, DatabaseError> {
    Database::builder()
        .set_cache_size(1 << 20)
        .set_check_integrity_on_open(true)
        .create(path)
}

/// A damaged journal beside the place of the journal: the mark, as durable as the renaming that made it, that something
/// was forgotten on this node.
fn moved_aside(folder: &Path, journal: &Path) -> Result<Option<PathBuf>, JournalError> {
    let failed = |source| JournalError::Folder {
        path: journal.to_owned(),
        source,
    };
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_string_lossy().starts_with(DAMAGED) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// Is it the file that is bad, and not its surroundings?
fn is_damage(error: &DatabaseError) -> bool {
    match error {
        DatabaseError::Storage(StorageError::Corrupted(_))
        | DatabaseError::UpgradeRequired(_)
        | DatabaseError::RepairAborted => true,
        // redb says so of a file that does not begin as its own do.
        DatabaseError::Storage(StorageError::Io(error)) => {
            error.kind() == std::io::ErrorKind::InvalidData
        }
        _ => false,
    }
}

fn read(database: &Database) -> Result<Memory, Damage> {
    let transaction = database.begin_read()?;
    let meta = transaction.open_table(META)?;
    let schema = meta.get("schema")?.map_or(0, |row| row.value());
    if schema != SCHEMA {
        return Err(Damage::Schema(schema));
    }
    let node = transaction.open_table(NODE)?;
    let mut memory = match node.get("memory")? {
        Some(row) => serde_json::from_slice(row.value()).map_err(Damage::Row)?,
        None => Memory::default(),
    };
    for row in transaction.open_table(EPISODES)?.iter()? {
        let (kind, episode) = row?;
        let kind = ConditionKind::parse(kind.value()).map_err(|error| Damage::Name(error.text))?;
        let episode: Episode = serde_json::from_slice(episode.value()).map_err(Damage::Row)?;
        memory.episodes.insert(kind, episode);
    }
    Ok(memory)
}

#[cfg(test)]
mod tests;
