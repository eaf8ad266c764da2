//! Marks that a process sets to see the stream come by them: behind all that was committed before.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use mongodb::{
    Collection, Database,
    bson::{Bson, Document, Uuid, doc},
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use super::{
    super::{error, schema},
    event::Event,
    history::History,
};
use crate::error::StoreError;

/// How long the stream may stand still before a mark comes by.
const PATIENCE: Duration = Duration::from_secs(10);

/// After how long another mark is set: the one before may have fallen into what was lost.
const ANOTHER: Duration = Duration::from_secs(2);

/// The document whose changes are marks.
const ID: &str = "mark";

pub(super) struct Marks {
    documents: Collection<Document>,
    /// Who waits for which mark. Each has a name of its own, so that none is taken for another,
    /// whatever becomes of the collection.
    waiting: Mutex<HashMap<Uuid, mpsc::Sender<()>>>,
}

impl Marks {
    pub(super) fn new(database: &Database) -> Self {
        Self { documents: database.collection(schema::FEED), waiting: Mutex::default() }
    }

    /// Sets a mark and waits until the stream has come by it.
    pub(super) async fn reach(&self, history: &History) -> Result<(), StoreError> {
        let (come, mut comes) = mpsc::channel(1);
        let mut waiting = Waiting { marks: self, names: Vec::new() };
        let mut moved = (Instant::now(), history.seen());
        loop {
            let name = Uuid::new();
            waiting.names.push(name);
            self.waiting().insert(name, come.clone());
            let comes_by = async {
                self.set(name).await?;
                comes.recv().await;
                Ok(())
            };
            if let Ok(reached) = timeout(ANOTHER, comes_by).await {
                return reached.map_err(error::of_store);
            }
            // A long past takes its time; one that does not move on is none.
            if history.seen() > moved.1 {
                moved = (Instant::now(), history.seen());
            } else if moved.0.elapsed() >= PATIENCE {
                let late = "the change stream does not come to the present";
                return Err(StoreError::unavailable(late));
            }
        }
    }

    /// Sets a mark for which nobody waits, whatever becomes of it: it moves the stream.
    pub(super) async fn stir(&self) {
        match timeout(ANOTHER, self.set(Uuid::new())).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "no mark can be set"),
            Err(_) => tracing::debug!("no mark can be set in time"),
        }
    }

    async fn set(&self, name: Uuid) -> mongodb::error::Result<()> {
        loop {
            let mark = doc! { "$set": { "name": name } };
            match self.documents.update_one(doc! { "_id": ID }, mark).upsert(true).await {
                Ok(_) => return Ok(()),
                // Another process has made it at the same time.
                Err(failure) if error::is_duplicate(&failure) => {}
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Tells whoever has set the mark that an event is, if it is one.
    pub(super) fn heed(&self, event: &Event) {
        if let Some(waiting) = name_of(event).and_then(|name| self.waiting().remove(&name)) {
            // Who has gone does not mind, nor who has been told.
            let _ = waiting.try_send(());
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, mpsc::Sender<()>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who waits for marks; forgotten also when they do not wait to the end.
struct Waiting<'a> {
    marks: &'a Marks,
    names: Vec<Uuid>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waiting = self.marks.waiting();
        self.names.iter().for_each(|name| drop(waiting.remove(name)));
    }
}

fn name_of(event: &Event) -> Option<Uuid> {
    let key = event.document_key.as_ref()?;
    let is_mark = event.ns.as_ref()?.coll.as_deref() == Some(schema::FEED)
        && key.get_str("_id").ok() == Some(ID);
    // What it was then: the document itself may be further on.
    let name = match &event.update_description {
        Some(update) => update.updated_fields.get("name").cloned(),
        None => event.full_document.as_ref()?.get("name").ok()??.try_into().ok(),
    };
    match name.filter(|_| is_mark)? {
        Bson::Binary(binary) => binary.to_uuid().ok(),
        _ => None,
    }
}
