//! What a client shows to say whose it is: the same for ever, or one that it asks the program for
//! when it needs one.

use std::{error::Error, fmt, future::ready, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use secrecy::SecretString;
use tokio::time::timeout;

/// How long the program may take to come up with a credential.
const PATIENCE: Duration = Duration::from_secs(30);

type BoxError = Box<dyn Error + Send + Sync>;
type Ask = dyn Fn() -> BoxFuture<'static, Result<SecretString, BoxError>> + Send + Sync;

#[derive(Clone)]
pub(crate) enum Bearer {
    Fixed(SecretString),
    Asked(Arc<Ask>),
}

impl Bearer {
    pub(super) fn asked<F, T, S, E>(ask: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<S, E>> + Send + 'static,
        S: Into<SecretString>,
        E: Into<BoxError>,
    {
        Self::Asked(Arc::new(move || {
            let asked = ask();
            Box::pin(async move { asked.await.map(Into::into).map_err(Into::into) })
        }))
    }

    /// The credential to show now, or a sentence that says why there is none.
    pub(super) fn show(&self) -> BoxFuture<'static, Result<SecretString, String>> {
        match self {
            Self::Fixed(token) => Box::pin(ready(Ok(token.clone()))),
            Self::Asked(ask) => {
                let asked = timeout(PATIENCE, ask());
                Box::pin(async move {
                    let answer = asked.await.map_err(|_| {
                        "the program is asked for a credential and does not answer".to_owned()
                    })?;
                    answer.map_err(|error| format!("there is no credential: {error}"))
                })
            }
        }
    }

    /// Whether there may be another one the next time.
    pub(super) const fn is_renewable(&self) -> bool {
        matches!(self, Self::Asked(_))
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_renewable() { "Asked" } else { "Fixed" })
    }
}
