//! The login token: a JWT (RFC 7519) that names a session, signed with HS256 under a key derived
//! from the server's secret, or, while keys are being changed, from an earlier one. Whether the
//! session still stands is the accounts' to say.

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
    /// By their key ids: the one that signs, and those that signed before.
    verifying: Vec<(String, DecodingKey)>,
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
    /// Signs with a key from `secret`; what was signed with keys from `earlier` secrets is good, too.
    pub(crate) fn new(secret: &[u8], earlier: &[&[u8]]) -> Self {
        let (id, key) = derive(secret);
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(id);
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.leeway = 0;
        let secrets = [secret].into_iter().chain(earlier.iter().copied());
        let verifying = secrets.map(derive).map(|(id, key)| (id, DecodingKey::from_secret(&key)));
        Self {
            header,
            signing: EncodingKey::from_secret(&key),
            verifying: verifying.collect(),
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

    /// The session that the token names, if this server signed it and it has not expired. Of what
    /// the token's header says only the key id is looked at, to choose among the keys that are
    /// known: neither another algorithm nor a key that comes with the token is ever taken.
    pub(crate) fn session(&self, token: &str) -> Option<SessionId> {
        let id = jsonwebtoken::decode_header(token).ok()?.kid?;
        let (_, key) = self.verifying.iter().find(|(known, _)| *known == id)?;
        let token = jsonwebtoken::decode::<Claims>(token, key, &self.validation).ok()?;
        Some(token.claims.sid)
    }
}

/// The key from a secret, and the name by which tokens call it.
fn derive(secret: &[u8]) -> (String, [u8; 32]) {
    let key = Sha256::new().chain_update(b"bookhub login token\0").chain_update(secret).finalize();
    let id = Sha256::new().chain_update(b"bookhub key id\0").chain_update(key).finalize();
    (id[..6].iter().map(|byte| format!("{byte:02x}")).collect(), key.into())
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
        let tokens = Tokens::new(b"secret", &[]);
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
        let foreign = Tokens::new(b"other", &[]).issue(&user, &session).unwrap();
        let tokens = Tokens::new(b"secret", &[]);
        assert_eq!(tokens.session(&foreign), None);
        let own = tokens.issue(&user, &session).unwrap();
        let claims = own.split('.').nth(1).unwrap();
        let unsigned = format!("eyJhbGciOiJub25lIn0.{claims}.");
        assert_eq!(tokens.session(&unsigned), None);
        assert_eq!(tokens.session("nonsense"), None);
    }

    #[test]
    fn while_keys_change_the_old_one_is_good_until_it_is_retired() {
        let (user, session) = user_and_session(SignedDuration::from_hours(1));
        let old = Tokens::new(b"old", &[]).issue(&user, &session).unwrap();
        let changing = Tokens::new(b"new", &[b"old"]);
        assert_eq!(changing.session(&old), Some(session.id));
        let new = changing.issue(&user, &session).unwrap();
        let changed = Tokens::new(b"new", &[]);
        assert_eq!(changed.session(&new), Some(session.id));
        assert_eq!(changed.session(&old), None);
    }
}
