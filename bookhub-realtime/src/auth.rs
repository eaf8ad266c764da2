//! Who a connection belongs to and what it may follow: the [`Authorizer`] that the embedding
//! program gives, and the [`Identity`] it answers with. Knows no transport.

use std::time::SystemTime;

use futures_util::future::BoxFuture;
use http::request;

use crate::topic::TopicPattern;

/// What a client shows to say who it is.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Credential<'a> {
    /// The request that opens the connection, with its headers. Cookies are left in it only if the
    /// request came from an allowed origin.
    Request(&'a request::Parts),
    /// A token that came in band: in `hello` or with an `auth` message.
    Token(&'a str),
}

/// Who a connection belongs to.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use bookhub_realtime::Identity;
///
/// assert_eq!(Identity::guest().subject(), None);
/// let user = Identity::user("42")
///     .with_session("session 7")
///     .with_expiry(SystemTime::now() + Duration::from_secs(3600));
/// assert_eq!(user.subject(), Some("42"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    subject: Option<String>,
    session: Option<String>,
    roles: Vec<String>,
    expires_at: Option<SystemTime>,
}

impl Identity {
    /// Nobody in particular.
    #[must_use]
    pub fn guest() -> Self {
        Self::default()
    }

    /// The user with this stable id.
    #[must_use]
    pub fn user(subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..Self::default() }
    }

    /// Names the session of the user, so that [`Hub::revoke`](crate::Hub::revoke) can find it.
    #[must_use]
    pub fn with_session(mut self, session: impl Into<String>) -> Self {
        self.session = Some(session.into());
        self
    }

    /// Adds a role, for the [`Authorizer`] to look at.
    #[must_use]
    pub fn with_role(mut self, role: impl Into<String>) -> Self {
        self.roles.push(role.into());
        self
    }

    /// Ends the connection at this time unless a newer credential comes in before.
    #[must_use]
    pub const fn with_expiry(mut self, at: SystemTime) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// The user's id; `None` for a guest.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The session that the credential belongs to.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Whether the user has this role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|known| known == role)
    }

    /// When the credential ends.
    #[must_use]
    pub const fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }
}

/// Why a credential was not accepted: the client's fault. It is told the message and closed with
/// 4401.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AuthError {
    message: String,
}

impl AuthError {
    /// A refusal with a sentence for the client.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

/// Decides who a client is and which topics it may follow.
///
/// `authenticate` is asked when a connection opens and for each credential that comes in band;
/// `may_follow` for each topic of a `hello` or `subscribe`, and again for all of them after a new
/// credential. A pattern with `*` is asked for as it is and needs a grant of its own.
///
/// ```
/// use bookhub_realtime::{AuthError, Authorizer, BoxFuture, Credential, Identity, TopicPattern};
///
/// struct Chat;
///
/// impl Authorizer for Chat {
///     fn authenticate<'a>(
///         &'a self,
///         credential: Credential<'a>,
///     ) -> BoxFuture<'a, Result<Identity, AuthError>> {
///         Box::pin(async move {
///             match credential {
///                 Credential::Token("sesame") => Ok(Identity::user("ali")),
///                 Credential::Token(_) => Err(AuthError::new("wrong word")),
///                 _ => Ok(Identity::guest()),
///             }
///         })
///     }
///
///     fn may_follow(&self, identity: &Identity, topic: &TopicPattern) -> bool {
///         topic.as_str() == "lobby" || identity.subject().is_some()
///     }
/// }
/// ```
pub trait Authorizer: Send + Sync + 'static {
    /// Who shows this credential. A request without any is a guest, not an error, if the program
    /// has guests.
    ///
    /// # Errors
    /// An [`AuthError`] closes the connection with 4401.
    fn authenticate<'a>(
        &'a self,
        credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Identity, AuthError>>;

    /// Whether this client may follow this topic or pattern.
    fn may_follow(&self, identity: &Identity, topic: &TopicPattern) -> bool;
}

/// The default [`Authorizer`]: everyone is a guest and may follow everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Public;

impl Authorizer for Public {
    fn authenticate<'a>(&'a self, _: Credential<'a>) -> BoxFuture<'a, Result<Identity, AuthError>> {
        Box::pin(std::future::ready(Ok(Identity::guest())))
    }

    fn may_follow(&self, _: &Identity, _: &TopicPattern) -> bool {
        true
    }
}
