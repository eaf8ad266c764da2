//! The time, as the services see it: injected, so that tests decide what time it is.

use std::{fmt, sync::Arc};

use jiff::Timestamp;

/// Where the services take the time from, in whole milliseconds.
///
/// ```
/// use bookhub_core::Clock;
///
/// let noon: jiff::Timestamp = "2026-11-23T12:00:00.123456Z".parse().unwrap();
/// assert_eq!(Clock::from_fn(move || noon).now().to_string(), "2026-11-23T12:00:00.123Z");
/// ```
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The clock of this machine.
    #[must_use]
    pub fn system() -> Self {
        Self::from_fn(Timestamp::now)
    }

    /// A clock that shows whatever `now` returns, cut to milliseconds.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = (self.0)();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}
