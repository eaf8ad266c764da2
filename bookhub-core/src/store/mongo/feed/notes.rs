//! What the processes know of the feed together, in one document: its epoch, when it was born, and
//! how far it has been followed. And the marks that a process sets to see the stream come by them.

use std::time::Duration;

use mongodb::{
    Collection, Database,
    bson::{DateTime, Document, Timestamp, doc},
    change_stream::event::ResumeToken,
    options::ReturnDocument,
};
use serde::{Deserialize, Serialize};
use tokio::{sync::watch, time::Instant};

use super::{
    super::{error, schema},
    event::Event,
    stream::Place,
};
use crate::{change::Epoch, error::StoreError};

/// How often it is noted how far the feed has been followed; by one process for all.
const INTERVAL: Duration = Duration::from_secs(10);

/// The one document, and the one whose changes are marks.
const ID: &str = "feed";
const MARK: &str = "mark";

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
    /// The number of the last mark that has come by.
    passed: watch::Sender<i64>,
}

impl Notes {
    pub(super) fn new(database: &Database, epoch: Epoch, passed: watch::Sender<i64>) -> Self {
        Self { documents: database.collection(schema::FEED), epoch, written: None, passed }
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
            // Somebody has dropped the database, or another process was quicker.
            let new = doc! { "$setOnInsert": { "epoch": self.epoch.as_str() } };
            self.documents.update_one(doc! { "_id": ID }, new).upsert(true).await?;
        }
        Ok(())
    }

    /// Sees whether an event is a mark.
    pub(super) fn heed(&self, event: &Event) {
        if let Some(number) = mark_of(event) {
            self.passed.send_if_modified(|passed| {
                let is_news = number > *passed;
                *passed = number.max(*passed);
                is_news
            });
        }
    }

    /// Sets a mark, whatever becomes of it.
    pub(super) async fn mark(&self) {
        if let Err(error) = mark(&self.documents).await {
            tracing::debug!(%error, "no mark can be set");
        }
    }
}

/// Sets a mark; its change comes by in the stream behind all that was committed before.
pub(super) async fn mark(documents: &Collection<Document>) -> Result<i64, StoreError> {
    let missing = || StoreError::Corrupt("the mark of the feed has no number".to_owned());
    loop {
        let count = doc! { "$inc": { "n": 1_i64 } };
        let marking = documents.find_one_and_update(doc! { "_id": MARK }, count);
        match marking.upsert(true).return_document(ReturnDocument::After).await {
            Ok(marked) => {
                return marked.and_then(|mark| mark.get_i64("n").ok()).ok_or_else(missing);
            }
            // Another process has made it at the same time.
            Err(failure) if error::is_duplicate(&failure) => {}
            Err(failure) => return Err(error::of_store(failure)),
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

/// Begins another life of the feed, unless another process has done so.
pub(super) async fn renew(documents: &Collection<Document>, old: &Epoch) -> Result<(), StoreError> {
    let filter = doc! { "_id": ID, "epoch": old.as_str() };
    let change = doc! {
        "$set": { "epoch": Epoch::random().as_str() },
        "$unset": { "born": "", "time": "", "ordinal": "", "token": "", "notedAt": "" },
    };
    documents.update_one(filter, change).await.map_err(error::of_store)?;
    Ok(())
}

fn mark_of(event: &Event) -> Option<i64> {
    let key = event.document_key.as_ref()?;
    let is_mark = event.ns.as_ref()?.coll.as_deref() == Some(schema::FEED)
        && key.get_str("_id").ok() == Some(MARK);
    // What it was then: the document itself may be further on.
    let number = match &event.update_description {
        Some(update) => update.updated_fields.get_i64("n").ok(),
        None => event.full_document.as_ref().and_then(|raw| raw.get_i64("n").ok()),
    };
    number.filter(|_| is_mark)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
