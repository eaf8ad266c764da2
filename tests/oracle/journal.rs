//! What was published: the truth that clients are held against.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::{RngExt as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::sync::watch;

/// The topics and how often each is chosen, in a hundred: one is busy, and one is nearly silent.
const TOPICS: [(&str, u32); 5] = [("a", 50), ("b", 24), ("c.1", 15), ("c.2", 10), ("quiet", 1)];

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) at: u64,
    pub(crate) topic: &'static str,
    pub(crate) data: Value,
}

/// All that was ever published.
#[derive(Debug)]
pub(crate) struct Journal {
    entries: Mutex<Vec<Entry>>,
    /// Whether nothing more comes.
    finished: watch::Sender<bool>,
}

impl Default for Journal {
    fn default() -> Self {
        Self { entries: Mutex::default(), finished: watch::Sender::new(false) }
    }
}

impl Journal {
    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn append(&self, random: &mut StdRng) {
        let mut choice = random.random_range(0..100);
        let (topic, _) = TOPICS
            .into_iter()
            .find(|(_, share)| {
                let found = choice < *share;
                choice = choice.saturating_sub(*share);
                found
            })
            .expect("the shares are a hundred");
        let mut entries = self.lock();
        // Positions have gaps, as those of a database do.
        let at = entries.last().map_or(0, |last| last.at) + random.random_range(1..4);
        let size = if random.random_ratio(1, 50) { 20_000 } else { 150 };
        let filling: String = (0..random.random_range(0..size)).map(|_| 'x').collect();
        entries.push(Entry { at, topic, data: json!([at, random.random::<u32>(), filling]) });
    }

    /// The entries from the index on.
    pub(crate) fn from(&self, index: usize) -> Vec<Entry> {
        self.lock().get(index..).unwrap_or_default().to_vec()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// The first entry after the position that one of the patterns wants.
    pub(crate) fn next(&self, after: u64, wants: impl Fn(&str) -> bool) -> Option<Entry> {
        let entries = self.lock();
        let index = entries.partition_point(|entry| entry.at <= after);
        entries[index..].iter().find(|entry| wants(entry.topic)).cloned()
    }

    pub(crate) fn finish(&self) {
        self.finished.send_replace(true);
    }

    pub(crate) fn finished(&self) -> watch::Receiver<bool> {
        self.finished.subscribe()
    }
}
