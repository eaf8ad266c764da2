//! A "no" of the shop: of a server, or of the rules themselves where this program works straight on
//! a database. Must not know how it is shown.

use bookhub_core::{CatalogError, FieldError, Invalid};
use serde::{Deserialize, Serialize};

use super::{Error, Exit};
use crate::server::ServerUrl;

/// A "no" of the shop.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) error: String,
    pub(crate) details: Vec<Detail>,
    /// What a server says with it.
    pub(crate) over_http: Option<OverHttp>,
}

/// What comes with a refusal over HTTP.
#[derive(Debug)]
pub(crate) struct OverHttp {
    pub(crate) server: ServerUrl,
    pub(crate) status: u16,
    pub(crate) request_id: Option<String>,
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

impl Refusal {
    /// The one of a book that is not there, in the words of the API.
    pub(crate) fn no_such_book() -> Self {
        let (code, error) = ("not_found".to_owned(), "Book not found".to_owned());
        Self { code, error, details: Vec::new(), over_http: None }
    }

    /// The one of wrong fields, below this sentence.
    pub(crate) fn invalid(sentence: &str, invalid: Invalid) -> Self {
        let details = invalid.into_errors().into_iter().map(Detail::from).collect();
        Self { code: "invalid".to_owned(), error: sentence.to_owned(), details, over_http: None }
    }

    pub(crate) fn status(&self) -> Option<u16> {
        self.over_http.as_ref().map(|http| http.status)
    }

    pub(super) fn exit(&self) -> Exit {
        self.status().map_or_else(|| Exit::of_code(&self.code), Exit::of_status)
    }

    /// What the shop says; but what a server tells programs of headers is put for people.
    pub(super) fn sentence(&self) -> String {
        match (self.code.as_str(), &self.over_http) {
            ("login_required", Some(OverHttp { server, .. })) => {
                format!("not logged in to {server}")
            }
            ("session_ended", Some(OverHttp { server, .. })) => {
                format!("the login to {server} has ended")
            }
            _ => self.error.trim_end_matches('.').to_owned(),
        }
    }

    pub(super) fn hint(&self) -> Option<String> {
        let hint = match (self.exit(), self.code.as_str()) {
            (Exit::NotFound, _) => "find the ids with: bookhub books list --search WORDS",
            (_, "isbn_taken") => "find that book with: bookhub books list --search ISBN",
            (_, "version_conflict") => {
                "look at it with `bookhub books get ID`, then edit its present version with \
                 --if-version"
            }
            (_, code) => return self.over_http.as_ref().and_then(|http| http.hint(code)),
        };
        Some(hint.to_owned())
    }
}

impl OverHttp {
    fn hint(&self, code: &str) -> Option<String> {
        let server = &self.server;
        let hint = match (self.status, code) {
            (401, "wrong_credentials") => "check the user name and the password".to_owned(),
            (401 | 403, _) if self.env_token => {
                "BOOKHUB_TOKEN is set and goes before the stored login: renew or unset it"
                    .to_owned()
            }
            (401, _) => format!("log in: bookhub login --server {server}"),
            (403, _) => format!("log in as an administrator: bookhub login --server {server}"),
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

impl Detail {
    /// Says by which flag the field was given.
    pub(super) fn name_flag(&mut self) {
        self.flag = Some(flag_of(&self.field));
    }
}

impl From<FieldError> for Detail {
    fn from(error: FieldError) -> Self {
        Self { field: error.field.into_owned(), message: error.message, flag: None }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

/// What the catalogue refuses is said in the words of the API.
impl From<CatalogError> for Error {
    fn from(error: CatalogError) -> Self {
        let refusal = match error {
            CatalogError::Store(error) => return Self::Store(error),
            CatalogError::NotFound(_) => Refusal::no_such_book(),
            error => Refusal {
                code: error.code().to_owned(),
                error: error.to_string(),
                details: error.into_fields().into_iter().map(Detail::from).collect(),
                over_http: None,
            },
        };
        Self::Refused(Box::new(refusal))
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

    #[test]
    fn what_the_catalogue_refuses_ends_as_over_http() {
        let taken = CatalogError::IsbnTaken {
            isbn: "9780306406157".parse().unwrap(),
            book: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
        };
        let stale = CatalogError::VersionConflict { current: 2 };
        let down = CatalogError::Store(bookhub_core::StoreError::unavailable("gone"));
        for (error, code, exit) in [
            (taken, "isbn_taken", Exit::Conflict),
            (stale, "version_conflict", Exit::Conflict),
            (down, "database_unavailable", Exit::Unreachable),
        ] {
            let error = Error::from(error);
            assert_eq!((error.code(), error.exit()), (code, exit), "{error}");
        }
    }
}
