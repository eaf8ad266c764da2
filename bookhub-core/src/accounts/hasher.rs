//! Hashes passwords: Argon2id, away from the async threads, never too many at once.
//! Must not know whose passwords they are.

use std::{fmt, sync::Arc};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::{sync::Semaphore, task};

use super::refuse_guessable;
use crate::{
    error::{AccountsError, Invalid},
    store::PasswordHash,
    user::{Password, TypedPassword},
};

/// What hashing one password costs. The default is what OWASP advises for Argon2id: 19 MiB of
/// memory, two passes, one lane.
///
/// ```
/// use bookhub_core::HashCost;
///
/// assert_eq!(HashCost::default(), HashCost { memory_kib: 19_456, passes: 2 });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashCost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
}

impl HashCost {
    /// As little as possible: for tests that make many accounts, and nothing else.
    pub const WEAK: Self = Self { memory_kib: 8, passes: 1 };
}

impl Default for HashCost {
    fn default() -> Self {
        Self { memory_kib: 19_456, passes: 2 }
    }
}

/// Hashes with a bounded number of threads and a bounded queue in front of them.
#[derive(Clone)]
pub(super) struct Hasher {
    cost: HashCost,
    /// One permit for everyone who is hashing or waiting.
    places: Arc<Semaphore>,
    /// One permit for everyone who is hashing.
    turns: Arc<Semaphore>,
}

impl Hasher {
    pub(super) fn new(cost: HashCost, hashers: usize, queue: usize) -> Self {
        Self {
            cost,
            places: Arc::new(Semaphore::new(
                hashers.saturating_add(queue).min(Semaphore::MAX_PERMITS),
            )),
            turns: Arc::new(Semaphore::new(hashers)),
        }
    }

    /// What is kept of a new password.
    pub(super) async fn hash(&self, password: Password) -> Result<PasswordHash, AccountsError> {
        self.run(password.secret().clone(), hash).await
    }

    /// What is kept of a password that somebody has chosen, unless it is guessed soon by those who
    /// know `about` them.
    pub(super) async fn hash_chosen(
        &self,
        password: Password,
        about: Vec<String>,
    ) -> Result<PasswordHash, AccountsError> {
        let secret = password.secret().clone();
        let judged = self.run(secret, move |argon2, secret| {
            let about: Vec<_> = about.iter().map(String::as_str).collect();
            if let Err(problem) = refuse_guessable(&password, &about) {
                return Ok(Err(problem));
            }
            hash(argon2, secret).map(Ok)
        });
        let refused = |problem| AccountsError::Invalid(Invalid::field("password", problem));
        judged.await?.map_err(refused)
    }

    /// What is to be kept from now on of a password that was right, if what was kept of it costs
    /// less to try than it should.
    pub(super) async fn strengthen(
        &self,
        right: TypedPassword,
        kept: &PasswordHash,
    ) -> Result<Option<PasswordHash>, AccountsError> {
        if self.is_strong(kept) {
            return Ok(None);
        }
        self.run(right.secret().clone(), |argon2, password| hash(argon2, password).map(Some)).await
    }

    fn is_strong(&self, kept: &PasswordHash) -> bool {
        let Ok(hash) = phc::PasswordHash::new(kept.as_phc()) else { return false };
        let Ok(params) = Params::try_from(&hash) else { return false };
        hash.algorithm == Algorithm::Argon2id.ident()
            && params.m_cost() >= self.cost.memory_kib
            && params.t_cost() >= self.cost.passes
    }

    /// Whether `typed` is the password of which `hash` was kept. Without a hash it is not, but
    /// finding that out costs the same.
    pub(super) async fn verify(
        &self,
        typed: TypedPassword,
        hash: Option<PasswordHash>,
    ) -> Result<bool, AccountsError> {
        let (secret, hash) = if typed.is_too_long() {
            (SecretString::from(""), None)
        } else {
            (typed.secret().clone(), hash)
        };
        let verified = self.run(secret, move |argon2, password| match hash {
            Some(hash) => {
                let hash = phc::PasswordHash::new(hash.as_phc())?;
                Ok(argon2.verify_password(password, &hash).is_ok())
            }
            None => {
                let _: phc::PasswordHash =
                    argon2.hash_password_with_salt(password, b"nobody's own salt")?;
                Ok(false)
            }
        });
        verified.await
    }

    /// Runs `work` on a thread that may block, when its turn comes. The turn is given back when
    /// the work is done, even if nobody waits for it any more.
    async fn run<T: Send + 'static>(
        &self,
        password: SecretString,
        work: impl FnOnce(&Argon2<'_>, &[u8]) -> Result<T, argon2::password_hash::Error>
        + Send
        + 'static,
    ) -> Result<T, AccountsError> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| AccountsError::Busy)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(failed)?;
        let params =
            Params::new(self.cost.memory_kib, self.cost.passes, 1, None).map_err(failed)?;
        let work = move || {
            let _held = (place, turn);
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            work(&argon2, password.expose_secret().as_bytes())
        };
        task::spawn_blocking(work).await.map_err(failed)?.map_err(failed)
    }
}

fn hash(
    argon2: &Argon2<'_>,
    password: &[u8],
) -> Result<PasswordHash, argon2::password_hash::Error> {
    let hash: phc::PasswordHash = argon2.hash_password(password)?;
    Ok(PasswordHash::from_phc(hash.to_string()))
}

fn failed(error: impl fmt::Display) -> AccountsError {
    AccountsError::Hashing(error.to_string())
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("cost", &self.cost).finish_non_exhaustive()
    }
}
