//! What can go wrong, and what follows from it: the exit code, the stable name, and what to do
//! next, each in one match. Must not know how errors are shown.

mod refusal;

use std::{fmt::Display, io};

use bookhub_core::StoreError;

pub(crate) use self::refusal::{Detail, OverHttp, Refusal};
use crate::{printer::without_passwords, server::ServerUrl};

/// How the program ends. Documented in `bookhub --help` and the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Done,
    Failed,
    Usage,
    NotAllowed,
    NotFound,
    Conflict,
    Unreachable,
    Interrupted,
}

impl Exit {
    /// The one place of the exit codes.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotAllowed => 3,
            Self::NotFound => 4,
            Self::Conflict => 5,
            Self::Unreachable => 6,
            Self::Interrupted => 130,
        }
    }

    /// What an answer with this HTTP status comes to.
    const fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::NotAllowed,
            404 => Self::NotFound,
            409 | 412 => Self::Conflict,
            _ => Self::Failed,
        }
    }

    /// What a refusal of the catalogue itself comes to.
    fn of_code(code: &str) -> Self {
        match code {
            "not_found" => Self::NotFound,
            "isbn_taken" | "version_conflict" => Self::Conflict,
            _ => Self::Failed,
        }
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The user's: a flag, a file that cannot be read, a question that cannot be asked.
    #[error("{0}")]
    Usage(String),
    /// The shop understood and said no.
    #[error("{}", .0.sentence())]
    Refused(Box<Refusal>),
    /// Something answered that is no BookHub server.
    #[error("{server} does not answer as a BookHub server: {what}")]
    Stranger { server: ServerUrl, what: String },
    /// The server wants to be called by another name.
    #[error("{server} sends elsewhere, to {to}")]
    Moved { server: ServerUrl, to: String },
    /// No answer, or not all of it.
    #[error("cannot reach {server}: {reason}")]
    Unreachable { server: ServerUrl, reason: String },
    /// The database failed, or its connection string cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The live updates ended for good.
    #[error("{server} ended the live updates: {reason}")]
    Closed { server: ServerUrl, code: Option<u16>, reason: String },
    /// None of the topics may be followed.
    #[error("not allowed to follow {topics}")]
    Denied { server: ServerUrl, topics: String },
    /// Of several things some failed; each was told by itself.
    #[error("{failed} of {total} {what} failed")]
    Partly { failed: usize, total: usize, what: &'static str },
    /// This machine's: a directory that cannot be written, a broken file of our own.
    #[error("cannot {what}: {reason}")]
    Local { what: String, reason: String },
    /// Standard output is gone.
    #[error("cannot write the output: {0}")]
    Output(io::Error),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn usage(sentence: impl Into<String>) -> Self {
        Self::Usage(sentence.into())
    }

    pub(crate) fn local(what: impl Into<String>, reason: impl Display) -> Self {
        Self::Local { what: what.into(), reason: reason.to_string() }
    }

    /// What clap says of wrong flags, without its own "error:".
    pub(crate) fn flags(error: &clap::Error) -> Self {
        let text = without_passwords(&error.render().to_string());
        Self::Usage(text.trim().trim_start_matches("error: ").to_owned())
    }

    /// This error with the flags that gave the fields it complains of.
    pub(crate) fn naming_flags(mut self) -> Self {
        if let Self::Refused(refusal) = &mut self {
            for detail in &mut refusal.details {
                detail.name_flag();
            }
        }
        self
    }

    /// How the program ends with it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Store(StoreError::Misconfigured(_)) => Exit::Usage,
            Self::Refused(refusal) => refusal.exit(),
            Self::Denied { .. } | Self::Closed { code: Some(401 | 403 | 4401), .. } => {
                Exit::NotAllowed
            }
            Self::Unreachable { .. } | Self::Store(StoreError::Unavailable(_)) => Exit::Unreachable,
            // `bookhub books list | head` is no failure.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Stranger { .. }
            | Self::Moved { .. }
            | Self::Store(_)
            | Self::Closed { .. }
            | Self::Partly { .. }
            | Self::Local { .. }
            | Self::Output(_) => Exit::Failed,
            Self::Interrupted => Exit::Interrupted,
        }
    }

    /// The name for programs: the server's own where it has one.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Usage(_) => "usage",
            Self::Refused(refusal) => &refusal.code,
            Self::Stranger { .. } => "not_bookhub",
            Self::Moved { .. } => "moved",
            Self::Unreachable { .. } => "unreachable",
            Self::Store(StoreError::Misconfigured(_)) => "usage",
            Self::Store(error) => error.code(),
            Self::Closed { .. } => "closed",
            Self::Denied { .. } => "topics_denied",
            Self::Partly { .. } => "failed_in_part",
            Self::Local { .. } => "local",
            Self::Output(_) => "output",
            Self::Interrupted => "interrupted",
        }
    }

    /// What to do next, where there is something.
    pub(crate) fn hint(&self) -> Option<String> {
        let login = |server| format!("log in: bookhub login --server {server}");
        match self {
            Self::Refused(refusal) => refusal.hint(),
            Self::Unreachable { .. } => Some(
                "is it running? Start it with bookhub-server, or name another with --server".into(),
            ),
            Self::Stranger { .. } => {
                Some("is something else listening there? Name the shop with --server".into())
            }
            Self::Store(StoreError::Misconfigured(_)) => Some(
                "the connection string is that of --mongodb-uri, MONGODB_URI or MONGODB_URI_FILE"
                    .into(),
            ),
            Self::Moved { to, .. } => Some(format!("if that is the shop, name it: --server {to}")),
            Self::Closed { code: Some(401 | 403 | 4401), server, .. }
            | Self::Denied { server, .. } => Some(login(server)),
            Self::Closed { code: Some(404), .. } => {
                Some("its live updates may be switched off (REALTIME_ENABLED)".into())
            }
            _ => None,
        }
    }

    /// Whether going on with the next of several things is pointless.
    pub(crate) fn ends_everything(&self) -> bool {
        match self {
            Self::Refused(refusal) => {
                refusal.status().is_some_and(|status| matches!(status, 401 | 403 | 429 | 500..))
            }
            _ => true,
        }
    }
}
