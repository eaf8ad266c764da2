//! How the services write the trail: around each change, so that none is made without an entry,
//! whoever dies when. Must not know what is changed.

use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use tokio::time::sleep;
use tracing::Instrument as _;

use super::{Action, Actor, AuditChange, AuditEntry, AuditId, Outcome, Subject};
use crate::{
    clock::Clock,
    error::{StoreError, WriteError},
    store::AuditStore,
};

/// How often it is tried to say what became of a change while the store fails, and how long to wait
/// between two tries, at first and at most.
const MOST_TRIES: usize = 40;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The trail of what one actor does. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Trail {
    store: Arc<dyn AuditStore>,
    clock: Clock,
    actor: Actor,
}

impl Trail {
    /// The trail of what the shop itself does.
    pub(crate) fn new(store: Arc<dyn AuditStore>, clock: Clock) -> Self {
        Self { store, clock, actor: Actor::System }
    }

    /// The same of somebody else.
    pub(crate) fn by(&self, actor: Actor) -> Self {
        Self { actor, ..self.clone() }
    }

    /// An entry of a change that is about to be made.
    pub(crate) fn entry(
        &self,
        action: Action,
        subject: &impl Subject,
        changes: Vec<AuditChange>,
    ) -> AuditEntry {
        let at = self.clock.now();
        AuditEntry {
            id: AuditId::generate(at),
            at,
            actor: self.actor.clone(),
            action,
            target: subject.target(),
            changes,
            delta: None,
            reason: None,
            outcome: Outcome::Unknown,
        }
    }

    /// Notes the entry, makes the change, and says what became of it: `changes` tells what was really
    /// changed, nothing if it was no change. Without a note no change is made.
    pub(crate) async fn around<T, E>(
        &self,
        entry: AuditEntry,
        write: impl Future<Output = Result<T, E>> + Send + 'static,
        changes: impl FnOnce(&T) -> Option<Vec<AuditChange>> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: WriteError + Send + 'static,
    {
        let store = Arc::clone(&self.store);
        to_its_end(async move {
            note(&store, vec![entry.clone()]).await?;
            let written = write.await;
            let end = match &written {
                Ok(done) => Some(match changes(done) {
                    Some(changes) => {
                        End::Done(AuditEntry { changes, outcome: Outcome::Done, ..entry })
                    }
                    None => End::NotDone(vec![entry.id]),
                }),
                // Whether a store that failed has done it nobody knows.
                Err(error) => error.of_store().is_none().then(|| End::NotDone(vec![entry.id])),
            };
            if let Some(end) = end {
                end.tell(&store).await;
            }
            written
        })
        .await
    }

    /// The same for many changes that are made together, each just as its entry says, or not at all.
    pub(crate) async fn around_all<T, E>(
        &self,
        entries: Vec<AuditEntry>,
        write: impl Future<Output = Result<Vec<Result<T, E>>, StoreError>> + Send + 'static,
    ) -> Result<Vec<Result<T, E>>, StoreError>
    where
        T: Send + 'static,
        E: WriteError + Send + 'static,
    {
        let store = Arc::clone(&self.store);
        to_its_end(async move {
            let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
            note(&store, entries).await?;
            let written = write.await?;
            let (mut done, mut not_done) = (Vec::new(), Vec::new());
            for (id, result) in ids.into_iter().zip(&written) {
                match result {
                    Ok(_) => done.push(id),
                    Err(error) if error.of_store().is_none() => not_done.push(id),
                    Err(_) => {}
                }
            }
            End::AllDone(done).tell(&store).await;
            End::NotDone(not_done).tell(&store).await;
            Ok(written)
        })
        .await
    }
}

/// Notes what is about to be done.
async fn note(store: &Arc<dyn AuditStore>, entries: Vec<AuditEntry>) -> Result<(), StoreError> {
    let ids = entries.iter().map(|entry| entry.id).collect();
    let noted = store.note_audit(entries).await;
    if noted.is_err() {
        // Some may be noted all the same, and what they say is not done.
        End::NotDone(ids).tell(store).await;
    }
    noted
}

/// What became of changes that were noted.
#[derive(Debug)]
enum End {
    Done(AuditEntry),
    AllDone(Vec<AuditId>),
    NotDone(Vec<AuditId>),
}

impl End {
    /// Has the store know. What was done stays so, even if that fails: then it is tried for a while,
    /// and nobody waits for it.
    async fn tell(self, store: &Arc<dyn AuditStore>) {
        let Err(error) = self.try_to_tell(store).await else { return };
        tracing::warn!(%error, "it is told later what became of a change");
        let store = Arc::clone(store);
        tokio::spawn(async move {
            let mut pause = FIRST_PAUSE;
            for _ in 0..MOST_TRIES {
                sleep(pause).await;
                pause = LONGEST_PAUSE.min(pause * 2);
                if self.try_to_tell(&store).await.is_ok() {
                    return;
                }
            }
            tracing::error!(end = ?self, "what became of a change stays unknown in the audit trail");
        });
    }

    async fn try_to_tell(&self, store: &Arc<dyn AuditStore>) -> Result<(), StoreError> {
        match self {
            Self::Done(entry) => store.confirm_audit(entry.clone()).await,
            Self::AllDone(ids) => store.confirm_noted_audit(ids).await,
            Self::NotDone(ids) => store.withdraw_audit(ids).await,
        }
    }
}

/// Does work that goes on though nobody waits for it any more. What never has to wait needs no task of
/// its own for that, nor a runtime.
async fn to_its_end<T, E>(work: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let mut work = Box::pin(work);
    let begun = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await;
    if let Poll::Ready(done) = begun {
        return done;
    }
    let done = tokio::spawn(work.in_current_span()).await;
    done.unwrap_or_else(|error| Err(StoreError::unavailable(error).into()))
}

#[cfg(test)]
mod tests;
