//! What the processes know of the feed together, in one document: its epoch, when it was born, and
//! how far it has been followed.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use mongodb::{
    Collection, Database,
    bson::{Binary, Document, Timestamp, doc},
    change_stream::event::ResumeToken,
};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};

use super::{
    super::{error, schema},
    stream::Place,
};
use crate::{change::Epoch, error::StoreError};

/// How often it is noted how far the feed has been followed; by one process for all.
const INTERVAL: Duration = Duration::from_secs(10);

/// For how long a note may take: the feed stands still meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);

/// The one document.
const ID: &str = "feed";

/// What is noted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Noted {
    pub(super) epoch: Epoch,
    /// Of which life of the collection the notes are: the identifier that the server has given it. Data
    /// that were restored are in another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) collection: Option<Binary>,
    /// The cluster time of its first event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) born: Option<Timestamp>,
    /// Of the last event that was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) time: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ordinal: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<ResumeToken>,
}

/// How far the feed has been followed.
#[derive(Clone, Debug)]
pub(super) struct Note {
    pub(super) place: Place,
    pub(super) token: Option<ResumeToken>,
}

pub(super) struct Notes {
    documents: Collection<Document>,
    epoch: Epoch,
    written: Option<(Instant, Place)>,
    /// When that was tried in vain.
    failed: Option<Instant>,
}

impl Notes {
    pub(super) fn new(database: &Database, epoch: Epoch) -> Self {
        Self { documents: database.collection(schema::FEED), epoch, written: None, failed: None }
    }

    /// Notes how far the feed has been followed, if that is not known yet or was long ago. Position
    /// and token are one write.
    pub(super) async fn write(&mut self, note: Note) {
        let due = match self.written {
            None => note.place.ordinal > 0,
            Some((at, place)) => place != note.place && at.elapsed() >= INTERVAL,
        };
        if !due {
            return;
        }
        if self.failed.is_some_and(|at| at.elapsed() < INTERVAL) {
            return;
        }
        self.failed = None;
        match timeout(PATIENCE, self.try_write(&note, self.written.is_none())).await {
            Ok(Ok(())) => self.written = Some((Instant::now(), note.place)),
            Ok(Err(error)) => self.put_off(&error.to_string()),
            Err(_) => self.put_off("the database does not answer in time"),
        }
    }

    fn put_off(&mut self, reason: &str) {
        tracing::warn!(reason, "it is noted later how far the feed has been followed");
        self.failed = Some(Instant::now());
    }

    async fn try_write(&self, note: &Note, is_first: bool) -> mongodb::error::Result<()> {
        let time = note.place.timestamp();
        if is_first {
            let unborn = doc! { "_id": ID, "born": { "$exists": false } };
            self.documents.update_one(unborn, doc! { "$set": { "born": time } }).await?;
        }
        let mut set = doc! {
            "time": time,
            "ordinal": i64::try_from(note.place.ordinal).unwrap_or(i64::MAX),
        };
        if let Some(token) = &note.token {
            set.insert("token", mongodb::bson::serialize_to_bson(token)?);
        }
        // Not by each process, and never back. By the cluster's own time: the clocks of processes differ.
        let lately = u32::try_from(INTERVAL.as_secs() / 2).unwrap_or(u32::MAX);
        let before = Timestamp { time: time.time.saturating_sub(lately), increment: 0 };
        let filter = doc! {
            "_id": ID,
            "epoch": self.epoch.as_str(),
            "$or": [{ "time": { "$exists": false } }, { "time": { "$lt": before } }],
        };
        let done = self.documents.update_one(filter, doc! { "$set": set }).await?;
        if done.matched_count == 0 {
            // Another process was quicker, or somebody has deleted it.
            self.keep().await?;
        }
        Ok(())
    }

    /// Notes the epoch again, after the notes were lost: who starts from now on goes on with it. The
    /// rest is noted at the next place.
    pub(super) async fn restore(&mut self) {
        (self.written, self.failed) = (None, None);
        if let Err(error) = self.keep().await {
            tracing::warn!(%error, "the epoch of the feed is not noted again yet");
        }
    }

    async fn keep(&self) -> mongodb::error::Result<()> {
        let epoch = doc! { "$setOnInsert": { "epoch": self.epoch.as_str() } };
        match self.documents.update_one(doc! { "_id": ID }, epoch).upsert(true).await {
            Err(failure) if !error::is_duplicate(&failure) => Err(failure),
            _ => Ok(()),
        }
    }
}

/// What is noted; if nothing is, an epoch is made up. Returns whether it was.
pub(super) async fn read_or_begin(
    documents: &Collection<Document>,
) -> Result<(Noted, bool), StoreError> {
    let noted = documents.clone_with_type::<Noted>();
    loop {
        let known = noted.find_one(doc! { "_id": ID }).await.map_err(error::of_store)?;
        if let Some(known) = known {
            return Ok((known, false));
        }
        let epoch = Epoch::random();
        let first = doc! { "_id": ID, "epoch": epoch.as_str() };
        match documents.insert_one(first).await {
            Ok(_) => {
                let (born, time, ordinal, token) = (None, None, None, None);
                let noted = Noted { epoch, collection: None, born, time, ordinal, token };
                return Ok((noted, true));
            }
            // Another process was quicker.
            Err(failure) if error::is_duplicate(&failure) => {}
            Err(failure) => return Err(error::of_store(failure)),
        }
    }
}

/// The identifier of the collection that the notes are in, if the server gives it one.
pub(super) async fn collection(database: &Database) -> mongodb::error::Result<Option<Binary>> {
    let mut found = database.list_collections().filter(doc! { "name": schema::FEED }).await?;
    while let Some(found) = found.try_next().await? {
        // Some servers do not filter.
        if found.name == schema::FEED {
            return Ok(found.info.uuid);
        }
    }
    Ok(None)
}

/// Notes of which life of the collection the notes are.
pub(super) async fn settle_in(
    documents: &Collection<Document>,
    epoch: &Epoch,
    collection: &Binary,
) -> Result<(), StoreError> {
    let filter = doc! { "_id": ID, "epoch": epoch.as_str(), "collection": { "$exists": false } };
    let set = doc! { "$set": { "collection": collection.clone() } };
    documents.update_one(filter, set).await.map_err(error::of_store)?;
    Ok(())
}

/// Begins another life of the feed, unless another process has done so. Returns whether it did.
pub(super) async fn renew(
    documents: &Collection<Document>,
    old: &Epoch,
) -> Result<bool, StoreError> {
    let filter = doc! { "_id": ID, "epoch": old.as_str() };
    let change = doc! {
        "$set": { "epoch": Epoch::random().as_str() },
        "$unset": { "born": "", "time": "", "ordinal": "", "token": "", "collection": "" },
    };
    let renewed = documents.update_one(filter, change).await.map_err(error::of_store)?;
    Ok(renewed.modified_count > 0)
}
