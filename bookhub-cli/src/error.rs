//! What can go wrong, and what follows from it: the exit code, the stable name, and what to do
//! next, each in one match. Must not know how errors are shown.

use std::{fmt::Display, io};

use serde::{Deserialize, Serialize};

use crate::server::ServerUrl;

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
    pub(crate) const fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::NotAllowed,
            404 => Self::NotFound,
            409 | 412 => Self::Conflict,
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
    /// The server understood and said no.
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

/// A "no" of the server.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) server: ServerUrl,
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) error: String,
    pub(crate) request_id: Option<String>,
    pub(crate) details: Vec<Detail>,
    /// In how many seconds to try again.
    pub(crate) retry_after: Option<u64>,
    /// Whether the token that was shown came from the environment.
    pub(crate) env_token: bool,
}

/// One field, and what is wrong with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Detail {
    pub(crate) field: String,
    pub(crate) message: String,
    /// The flag that gave the field, if a flag did.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub(crate) flag: Option<String>,
}

impl Error {
    pub(crate) fn usage(sentence: impl Into<String>) -> Self {
        Self::Usage(sentence.into())
    }

    pub(crate) fn local(what: impl Into<String>, reason: impl Display) -> Self {
        Self::Local { what: what.into(), reason: reason.to_string() }
    }

    /// What clap says of wrong flags, without its own "error:".
    pub(crate) fn flags(error: &clap::Error) -> Self {
        let text = error.render().to_string();
        Self::Usage(text.trim().trim_start_matches("error: ").to_owned())
    }

    /// This error with the flags that gave the fields it complains of.
    pub(crate) fn naming_flags(mut self) -> Self {
        if let Self::Refused(refusal) = &mut self {
            for detail in &mut refusal.details {
                detail.flag = Some(flag_of(&detail.field));
            }
        }
        self
    }

    /// How the program ends with it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Refused(refusal) => Exit::of_status(refusal.status),
            Self::Denied { .. } | Self::Closed { code: Some(401 | 403 | 4401), .. } => {
                Exit::NotAllowed
            }
            Self::Unreachable { .. } => Exit::Unreachable,
            // `bookhub books list | head` is no failure.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Stranger { .. }
            | Self::Moved { .. }
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
            Self::Refused(refusal) => matches!(refusal.status, 401 | 403 | 429 | 500..),
            _ => true,
        }
    }
}

impl Refusal {
    /// What the server says; but what it tells programs of headers is put for people.
    fn sentence(&self) -> String {
        match self.code.as_str() {
            "login_required" => format!("not logged in to {}", self.server),
            "session_ended" => format!("the login to {} has ended", self.server),
            _ => self.error.trim_end_matches('.').to_owned(),
        }
    }

    fn hint(&self) -> Option<String> {
        let server = &self.server;
        let hint = match (self.status, self.code.as_str()) {
            (401, "wrong_credentials") => "check the user name and the password".to_owned(),
            (401 | 403, _) if self.env_token => {
                "BOOKHUB_TOKEN is set and goes before the stored login: renew or unset it"
                    .to_owned()
            }
            (401, _) => format!("log in: bookhub login --server {server}"),
            (403, _) => format!("log in as an administrator: bookhub login --server {server}"),
            (404, _) => "find the ids with: bookhub books list --search WORDS".to_owned(),
            (409, "isbn_taken") => {
                "find that book with: bookhub books list --search ISBN".to_owned()
            }
            (412, _) => "look at it with `bookhub books get ID`, then edit its present version \
                         with --if-version"
                .to_owned(),
            (429, _) => match self.retry_after {
                Some(seconds) => format!("try again in {seconds} s"),
                None => "try again later".to_owned(),
            },
            (500.., _) => match &self.request_id {
                Some(id) => format!("try again; the server's log knows more of request {id}"),
                None => "try again; the server's log knows more".to_owned(),
            },
            _ => return None,
        };
        Some(hint)
    }
}

/// The flag that gives a field of the API.
fn flag_of(field: &str) -> String {
    let name = match field {
        "q" => "search",
        "username" => "user",
        other => other,
    };
    let mut flag = "--".to_owned();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            flag.push('-');
        }
        flag.push(letter.to_ascii_lowercase());
    }
    flag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_their_flags() {
        for (field, flag) in [("price", "--price"), ("coverUrl", "--cover-url"), ("q", "--search")]
        {
            assert_eq!(flag_of(field), flag);
        }
    }
}
