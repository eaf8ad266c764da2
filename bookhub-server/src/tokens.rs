//! The login token: a JWT (RFC 7519) that names a session, signed with HS256 under a key derived
//! from the server's secret. Whether the session still stands is the accounts' to say.

use bookhub_core::{Session, SessionId, User, UserId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const ISSUER: &str = "bookhub";
const AUDIENCE: &str = "bookhub-api";

/// Signs and verifies login tokens.
pub(crate) struct Tokens {
    header: Header,
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    sid: SessionId,
    iat: i64,
    exp: i64,
}

impl Tokens {
    pub(crate) fn new(secret: &[u8]) -> Self {
        let key =
            Sha256::new().chain_update(b"bookhub login token\0").chain_update(secret).finalize();
        let id = Sha256::new().chain_update(b"bookhub key id\0").chain_update(key).finalize();
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(id[..6].iter().map(|byte| format!("{byte:02x}")).collect());
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.leeway = 0;
        Self {
            header,
            signing: EncodingKey::from_secret(&key),
            verifying: DecodingKey::from_secret(&key),
            validation,
        }
    }

    /// The token of a session.
    pub(crate) fn issue(
        &self,
        user: &User,
        session: &Session,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user.id,
            sid: session.id,
            iat: session.created_at.as_second(),
            exp: session.expires_at.as_second(),
        };
        jsonwebtoken::encode(&self.header, &claims, &self.signing)
    }

    /// The session that the token names, if this server signed it and it has not expired.
    pub(crate) fn session(&self, token: &str) -> Option<SessionId> {
        jsonwebtoken::decode::<Claims>(token, &self.verifying, &self.validation)
            .ok()
            .map(|token| token.claims.sid)
    }
}

#[cfg(test)]
mod tests {
    use bookhub_core::{Role, Username};
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    fn user_and_session(lifetime: SignedDuration) -> (User, Session) {
        let now = Timestamp::now();
        let user = User {
            id: UserId::generate(now),
            username: Username::new("ada").unwrap(),
            email: None,
            role: Role::User,
            created_at: now,
        };
        let session = Session {
            id: SessionId::generate(),
            user: user.id,
            created_at: now,
            expires_at: now + lifetime,
            generation: 0,
        };
        (user, session)
    }

    #[test]
    fn a_token_names_its_session_until_it_expires() {
        let tokens = Tokens::new(b"secret");
        let (user, session) = user_and_session(SignedDuration::from_hours(1));
        let token = tokens.issue(&user, &session).unwrap();
        assert_eq!(tokens.session(&token), Some(session.id));
        let (user, session) = user_and_session(SignedDuration::from_secs(-5));
        let expired = tokens.issue(&user, &session).unwrap();
        assert_eq!(tokens.session(&expired), None);
    }

    #[test]
    fn a_token_of_another_key_or_algorithm_names_nothing() {
        let (user, session) = user_and_session(SignedDuration::from_hours(1));
        let foreign = Tokens::new(b"other").issue(&user, &session).unwrap();
        let tokens = Tokens::new(b"secret");
        assert_eq!(tokens.session(&foreign), None);
        let own = tokens.issue(&user, &session).unwrap();
        let claims = own.split('.').nth(1).unwrap();
        let unsigned = format!("eyJhbGciOiJub25lIn0.{claims}.");
        assert_eq!(tokens.session(&unsigned), None);
        assert_eq!(tokens.session("nonsense"), None);
    }
}
