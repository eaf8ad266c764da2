//! The way from a journal into a hub's log: each entry at its own position, what was trimmed as lost
//! history, and the journal opened again when it fails.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::StreamExt as _;
use tokio::time::sleep;

use super::{Journal, JournalError, Tail, TailFrom, TailItem};
use crate::{hub::Shared, log::Draft, position::Position};

/// How long to wait before a journal that failed is opened again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Fills the log from the journal up to the present. Answers what has to be run from then on.
pub(crate) async fn mirror(
    shared: &Arc<Shared>,
    journal: Arc<dyn Journal>,
) -> Result<impl Future<Output = ()> + Send + 'static + use<>, JournalError> {
    let tail = journal.tail(TailFrom::Last(shared.config.history_events)).await?;
    // What came before is not in this log.
    shared.raise_tail(tail.after);
    let mut mirror = Mirror { shared: Arc::downgrade(shared), journal, tail: Some(tail) };
    mirror.follow(true).await?;
    Ok(mirror.run())
}

struct Mirror {
    shared: Weak<Shared>,
    journal: Arc<dyn Journal>,
    tail: Option<Tail>,
}

impl Mirror {
    /// Follows the journal for as long as there is a hub.
    async fn run(mut self) {
        let mut wait = RETRY.0;
        loop {
            let error = match self.follow(false).await {
                Ok(()) => return,
                Err(error) => error,
            };
            let Some(shared) = self.shared.upgrade() else {
                return;
            };
            let mut after = shared.log().head();
            match error {
                JournalError::Trimmed { oldest } => {
                    tracing::warn!(%oldest, "the journal forgot faster than it was read");
                    shared.raise_tail(oldest);
                    after = after.max(oldest);
                }
                error => {
                    tracing::warn!(%error, retry_in = ?wait, "the journal is opened again");
                    drop(shared);
                    sleep(wait).await;
                    wait = (wait * 2).min(RETRY.1);
                }
            }
            self.tail = open(&self.journal, &self.shared, after).await;
            if self.tail.is_some() {
                wait = RETRY.0;
            }
        }
    }

    /// Takes entries in: up to the present, or until something fails. Without a hub it is done.
    async fn follow(&mut self, to_the_present: bool) -> Result<(), JournalError> {
        let Some(mut tail) = self.tail.take() else {
            return Err(JournalError::Unavailable("it was not opened".into()));
        };
        while let Some(item) = tail.items.next().await {
            let Some(shared) = self.shared.upgrade() else {
                return Ok(());
            };
            match item? {
                TailItem::Present if to_the_present => {
                    self.tail = Some(tail);
                    return Ok(());
                }
                TailItem::Present => {}
                TailItem::Entry(entry) => {
                    let draft =
                        Draft { topic: &entry.topic, event: &entry.name, data: &entry.data };
                    // What the log has already, it was told before the journal was opened again.
                    let _ = shared.append(entry.position, draft);
                }
            }
        }
        Err(JournalError::Unavailable("it has ended".into()))
    }
}

/// Opens the journal behind what the log has; `None` if that has to be tried again.
async fn open(journal: &Arc<dyn Journal>, shared: &Weak<Shared>, after: Position) -> Option<Tail> {
    match journal.tail(TailFrom::After(after)).await {
        Ok(tail) => Some(tail),
        Err(JournalError::Trimmed { oldest }) => {
            shared.upgrade()?.raise_tail(oldest);
            None
        }
        Err(error) => {
            tracing::debug!(%error, "the journal could not be opened");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::BoxFuture;

    use super::*;
    use crate::{
        Epoch, Hub, HubConfig, PublishError, Topic,
        journal::{MemoryJournal, NewEvent},
    };

    fn event(data: u64) -> NewEvent {
        NewEvent::new(&topic(), "said", &data).unwrap()
    }

    fn topic() -> Topic {
        "news".parse().unwrap()
    }

    async fn reached(hub: &Hub, position: Position) {
        while hub.head() < position {
            sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn two_hubs_have_the_same_events_at_the_same_positions() {
        let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new(100));
        journal.append(event(1)).await.unwrap();
        let first = Hub::mirroring(HubConfig::new(), Arc::clone(&journal)).await.unwrap();
        let last = journal.append(event(2)).await.unwrap();
        let second = Hub::mirroring(HubConfig::new(), Arc::clone(&journal)).await.unwrap();
        assert_eq!(second.inspect().history_events, 2, "it is ready when it has what there is");
        reached(&first, last).await;
        assert_eq!(first.id(last), second.id(last));
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_before_what_the_journal_keeps_has_missed_something() {
        let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new(2));
        for data in 0..5 {
            journal.append(event(data)).await.unwrap();
        }
        let hub = Hub::mirroring(HubConfig::new(), journal).await.unwrap();
        let kept: Vec<_> = (0..=5).map(|at| hub.keeps_after(Position::new(at))).collect();
        assert_eq!(kept, [false, false, false, true, true, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_published_past_the_journal() {
        let journal = Arc::new(MemoryJournal::new(2));
        let hub = Hub::mirroring(HubConfig::new(), journal).await.unwrap();
        let refused = hub.publish(&topic(), "said", &1);
        assert!(matches!(refused, Err(PublishError::Mirror)), "{refused:?}");
        let refused = [hub.advance(Position::new(5)), hub.raise_tail(Position::new(5))];
        assert!(refused.iter().all(Result::is_err), "{refused:?}");
        assert_eq!(hub.head(), Position::new(0));
    }

    /// Ends each tail after three items, and cannot be reached every other time.
    struct Failing(MemoryJournal, AtomicUsize);

    impl Journal for Failing {
        fn epoch(&self) -> BoxFuture<'_, Result<Epoch, JournalError>> {
            self.0.epoch()
        }

        fn append(&self, event: NewEvent) -> BoxFuture<'_, Result<Position, JournalError>> {
            self.0.append(event)
        }

        fn tail(&self, from: TailFrom) -> BoxFuture<'_, Result<Tail, JournalError>> {
            Box::pin(async move {
                if self.1.fetch_add(1, Ordering::SeqCst) % 2 == 1 {
                    return Err(JournalError::Unavailable("no route".into()));
                }
                let Tail { after, items } = self.0.tail(from).await?;
                Ok(Tail::new(after, items.take(3).boxed()))
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_journal_that_fails_again_and_again_is_mirrored_whole() {
        let memory = MemoryJournal::new(1000);
        let journal = Arc::new(Failing(memory.clone(), AtomicUsize::new(0)));
        let hub = Hub::mirroring(HubConfig::new(), journal).await.unwrap();
        for data in 0..50 {
            memory.append(event(data)).await.unwrap();
        }
        reached(&hub, Position::new(50)).await;
        assert_eq!(hub.inspect().history_events, 50);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_journal_forgot_meanwhile_is_lost_history() {
        let memory = MemoryJournal::new(10);
        let journal = Arc::new(Failing(memory.clone(), AtomicUsize::new(0)));
        let hub = Hub::mirroring(HubConfig::new(), journal).await.unwrap();
        for data in 0..3 {
            memory.append(event(data)).await.unwrap();
        }
        reached(&hub, Position::new(2)).await;
        for data in 3..50 {
            memory.append(event(data)).await.unwrap();
        }
        reached(&hub, Position::new(50)).await;
        assert!(!hub.keeps_after(Position::new(3)));
        assert!(hub.keeps_after(Position::new(40)));
        assert_eq!(hub.inspect().history_events, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn the_mirror_ends_with_its_hub() {
        let journal = Arc::new(MemoryJournal::new(10));
        let hub = Hub::mirroring(HubConfig::new(), Arc::clone(&journal) as _).await.unwrap();
        drop(hub);
        tokio::task::yield_now().await;
        assert_eq!(Arc::strong_count(&journal), 1);
    }
}
