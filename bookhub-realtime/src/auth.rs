//! Who a connection belongs to and what it may follow: the [`Authorizer`] that the embedding
//! program gives, and the [`Identity`] it answers with. Knows no transport.

use std::{sync::Arc, time::SystemTime};

use futures_util::future::BoxFuture;
use http::{header, request};

use crate::topic::TopicPattern;

/// What a client shows to say who it is.
///
/// ```
/// use bookhub_realtime::Credential;
/// use http::Request;
///
/// /// The key in a cookie of its own, or the token.
/// fn key(credential: Credential<'_>) -> Option<&str> {
///     match credential {
///         Credential::Request(request) => {
///             request.headers.get("cookie")?.to_str().ok()?.strip_prefix("key=")
///         }
///         Credential::Token(token) => Some(token),
///         _ => None,
///     }
/// }
///
/// let (request, ()) = Request::get("/ws").header("cookie", "key=sesame").body(())?.into_parts();
/// assert_eq!(key(Credential::Request(&request)), Some("sesame"));
/// assert_eq!(key(Credential::Token("sesame")), Some("sesame"));
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Credential<'a> {
    /// The request that opens the connection, with its headers, and with the extensions that layers
    /// before the hub have put into it. Cookies are left in it only if the request came from the
    /// server's own or an allowed origin.
    Request(&'a request::Parts),
    /// A token that came in band: in `hello` or with an `auth` message. A client that gives one in
    /// its `hello` is known by that, whatever its request says.
    Token(&'a str),
}

impl<'a> Credential<'a> {
    /// The token, or what stands behind `Bearer` in the request's header `Authorization` (RFC 6750,
    /// section 2.1).
    ///
    /// ```
    /// use bookhub_realtime::Credential;
    /// use http::Request;
    ///
    /// let request = Request::get("/ws").header("authorization", "Bearer sesame").body(())?;
    /// let (request, ()) = request.into_parts();
    /// assert_eq!(Credential::Request(&request).bearer(), Some("sesame"));
    /// assert_eq!(Credential::Token("sesame").bearer(), Some("sesame"));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn bearer(self) -> Option<&'a str> {
        match self {
            Self::Token(token) => Some(token),
            Self::Request(request) => {
                let header = request.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
                let (scheme, token) = header.split_once(' ')?;
                scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
            }
        }
    }
}

/// Who a connection belongs to.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use bookhub_realtime::Identity;
///
/// assert_eq!(Identity::guest().subject(), None);
/// let end = SystemTime::now() + Duration::from_secs(3600);
/// let user = Identity::user("42").with_session("session 7").with_role("admin").with_expiry(end);
/// assert_eq!(user.subject(), Some("42"));
/// assert_eq!(user.session(), Some("session 7"));
/// assert!(user.has_role("admin"));
/// assert_eq!(user.expires_at(), Some(end));
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
    ///
    /// ```
    /// use bookhub_realtime::Identity;
    ///
    /// assert_eq!(Identity::guest(), Identity::default());
    /// ```
    #[must_use]
    pub fn guest() -> Self {
        Self::default()
    }

    /// The user with this stable id.
    ///
    /// ```
    /// use bookhub_realtime::Identity;
    ///
    /// assert_eq!(Identity::user("42").subject(), Some("42"));
    /// ```
    #[must_use]
    pub fn user(subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..Self::default() }
    }

    /// Names the session of the user, so that [`Hub::revoke`](crate::Hub::revoke) can find it.
    ///
    /// ```
    /// use bookhub_realtime::Identity;
    ///
    /// assert_eq!(Identity::user("42").with_session("7").session(), Some("7"));
    /// ```
    #[must_use]
    pub fn with_session(mut self, session: impl Into<String>) -> Self {
        self.session = Some(session.into());
        self
    }

    /// Adds a role, for the [`Authorizer`] to look at.
    ///
    /// ```
    /// use bookhub_realtime::Identity;
    ///
    /// let user = Identity::user("42").with_role("editor").with_role("admin");
    /// assert!(user.has_role("editor") && user.has_role("admin"));
    /// ```
    #[must_use]
    pub fn with_role(mut self, role: impl Into<String>) -> Self {
        self.roles.push(role.into());
        self
    }

    /// Ends the connection at this time, and
    /// [`auth_grace`](crate::HubConfig::auth_grace), unless a newer credential comes in before. By
    /// the hub's [`clock`](crate::HubConfig::clock).
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use bookhub_realtime::Identity;
    ///
    /// // The `exp` of a JSON Web Token counts seconds from there.
    /// let end = UNIX_EPOCH + Duration::from_secs(1_900_000_000);
    /// assert_eq!(Identity::user("42").with_expiry(end).expires_at(), Some(end));
    /// ```
    #[must_use]
    pub const fn with_expiry(mut self, at: SystemTime) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// The user's id; `None` for a guest. See [`Identity`] for an example of all that it says.
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

/// Why a credential was not accepted. The client is told the message and closed: with 4401 if that is
/// its own fault, with 1013 if nobody could look.
///
/// ```
/// use bookhub_realtime::AuthError;
///
/// assert_eq!(AuthError::new("Log in first").to_string(), "Log in first");
/// assert!(AuthError::unavailable("The database is down").is_unavailable());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AuthError {
    message: String,
    is_unavailable: bool,
}

impl AuthError {
    /// A refusal with a sentence for the client. See [`AuthError`] for an example.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_unavailable: false }
    }

    /// Nobody can say at the moment, such as while a database is down; the client may come back with
    /// the same credential. See [`AuthError`] for an example.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_unavailable: true }
    }

    /// Whether the client may come back with the same credential.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        self.is_unavailable
    }
}

/// Decides who a client is and which topics it may follow.
///
/// `authenticate` is asked when a connection opens and for each credential that comes in band;
/// `may_follow` for each topic of a `hello` or `subscribe`, and again for all of them after a new
/// credential. A pattern with `*` is asked for as it is and needs a grant of its own.
///
/// Both are asked with no lock held: they may look at the hub. `may_follow` is asked on the runtime
/// and must not block; what takes time belongs into `authenticate`, whose answer can carry what
/// `may_follow` needs. More in [the guide](crate::guide::access).
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
    /// The hub waits for the answer as long as for a `hello`
    /// ([`hello_timeout`](crate::HubConfig::hello_timeout), 5 s by default), then the connection is
    /// closed with 4408. Events come to it meanwhile, and it can be revoked. The future may be
    /// dropped before it is done.
    ///
    /// # Errors
    /// An [`AuthError`] closes the connection with 4401, or with 1013 if nobody could look at the
    /// credential; also a connection that an earlier credential has opened.
    ///
    /// ```
    /// use bookhub_realtime::{Authorizer as _, Credential, Identity, Public};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bookhub_realtime::AuthError> {
    /// let identity = Public.authenticate(Credential::Token("any")).await?;
    /// assert_eq!(identity, Identity::guest());
    /// # Ok(()) }
    /// ```
    fn authenticate<'a>(
        &'a self,
        credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Identity, AuthError>>;

    /// Whether this client may follow this topic or pattern.
    ///
    /// ```
    /// use bookhub_realtime::{Identity, TopicPattern};
    ///
    /// /// Users follow their own orders, and nobody follows those of all.
    /// fn may_follow(identity: &Identity, topic: &TopicPattern) -> bool {
    ///     let owner = topic.as_str().strip_prefix("orders.");
    ///     !topic.is_wild() && owner.is_some() && owner == identity.subject()
    /// }
    ///
    /// let ada = Identity::user("ada");
    /// assert!(may_follow(&ada, &"orders.ada".parse()?));
    /// assert!(!may_follow(&ada, &"orders.bob".parse()?));
    /// assert!(!may_follow(&ada, &"orders.*".parse()?));
    /// # Ok::<(), bookhub_realtime::ParseTopicError>(())
    /// ```
    fn may_follow(&self, identity: &Identity, topic: &TopicPattern) -> bool;
}

/// One that the program keeps too, for what it has to tell it, such as who has logged out.
impl<A: Authorizer + ?Sized> Authorizer for Arc<A> {
    fn authenticate<'a>(
        &'a self,
        credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Identity, AuthError>> {
        (**self).authenticate(credential)
    }

    fn may_follow(&self, identity: &Identity, topic: &TopicPattern) -> bool {
        (**self).may_follow(identity, topic)
    }
}

/// The default [`Authorizer`]: everyone is a guest and may follow everything.
///
/// ```
/// use bookhub_realtime::{Authorizer as _, Identity, Public};
///
/// assert!(Public.may_follow(&Identity::guest(), &"*.*".parse()?));
/// # Ok::<(), bookhub_realtime::ParseTopicError>(())
/// ```
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
