//! What the processes know of the feed together, in one document: its epoch, when it was born, and
//! how far it has been followed.

use std::time::Duration;

use mongodb::{
    Collection, Database,
    bson::{DateTime, Document, Timestamp, doc},
    change_stream::event::ResumeToken,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    super::{error, schema},
    stream::Place,
};
use crate::{change::Epoch, error::StoreError};

/// How often it is noted how far the feed has been followed; by one process for all.
const INTERVAL: Duration = Duration::from_secs(10);

/// The one document.
const ID: &str = "feed";

/// What is noted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Noted {
    pub(super) epoch: Epoch,
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
}

impl Notes {
    pub(super) fn new(database: &Database, epoch: Epoch) -> Self {
        Self { documents: database.collection(schema::FEED), epoch, written: None }
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
        let is_first = self.written.is_none();
        self.written = Some((Instant::now(), note.place));
        if let Err(error) = self.try_write(&note, is_first).await {
            tracing::warn!(%error, "it cannot be noted how far the feed has been followed");
        }
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
            "notedAt": DateTime::now(),
        };
        if let Some(token) = &note.token {
            set.insert("token", mongodb::bson::serialize_to_bson(token)?);
        }
        // Not by each process, and never back.
        let now = DateTime::now().timestamp_millis();
        let before = DateTime::from_millis(now - millis(INTERVAL / 2));
        let filter = doc! {
            "_id": ID,
            "epoch": self.epoch.as_str(),
            "$or": [{ "time": { "$exists": false } }, {
                "time": { "$lt": time }, "notedAt": { "$lt": before },
            }],
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
        self.written = None;
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
                let noted = Noted { epoch, born: None, time: None, ordinal: None, token: None };
                return Ok((noted, true));
            }
            // Another process was quicker.
            Err(failure) if error::is_duplicate(&failure) => {}
            Err(failure) => return Err(error::of_store(failure)),
        }
    }
}

/// Begins another life of the feed, unless another process has done so. Returns whether it did.
pub(super) async fn renew(
    documents: &Collection<Document>,
    old: &Epoch,
) -> Result<bool, StoreError> {
    let filter = doc! { "_id": ID, "epoch": old.as_str() };
    let change = doc! {
        "$set": { "epoch": Epoch::random().as_str() },
        "$unset": { "born": "", "time": "", "ordinal": "", "token": "", "notedAt": "" },
    };
    let renewed = documents.update_one(filter, change).await.map_err(error::of_store)?;
    Ok(renewed.modified_count > 0)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
