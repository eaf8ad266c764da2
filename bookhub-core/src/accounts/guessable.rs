//! Passwords that are guessed first: common ones, names, dates, rows of keys. There are no rules
//! about which characters a password has (NIST SP 800-63B, section 5.1.1.2).

use secrecy::ExposeSecret as _;
use zxcvbn::{Score, zxcvbn};

use crate::{error::BadValue, user::Password};

/// What whoever attacks this shop tries first.
const OF_THE_SHOP: [&str; 2] = ["bookhub", "bookstore"];

/// Takes a million guesses or more: nobody has so many who may fail five times in 15 minutes.
const LEAST: Score = Score::Two;

/// How much of a password is judged, in characters: nobody's common password is longer, and the work
/// grows with the square of it.
const JUDGED: usize = 24;

/// Refuses a password that is guessed soon, also by somebody who knows these things about its
/// owner. Takes milliseconds.
///
/// ```
/// use bookhub_core::{Password, refuse_guessable};
///
/// let common = Password::new("password1").unwrap();
/// assert!(refuse_guessable(&common, &[]).is_err());
/// let own = Password::new("emma.woodhouse1").unwrap();
/// assert!(refuse_guessable(&own, &["emma.woodhouse"]).is_err());
/// let good = Password::new("wet grass under a lamp").unwrap();
/// assert!(refuse_guessable(&good, &[]).is_ok());
/// ```
pub fn refuse_guessable(password: &Password, about: &[&str]) -> Result<(), BadValue> {
    let known: Vec<_> = about.iter().chain(&OF_THE_SHOP).copied().collect();
    let secret = password.secret().expose_secret();
    let end = secret.char_indices().nth(JUDGED).map_or(secret.len(), |(at, _)| at);
    let guess = zxcvbn(&secret[..end], &known);
    if guess.score() >= LEAST {
        return Ok(());
    }
    let why = guess.feedback().and_then(|feedback| feedback.warning());
    let why = why.map(|warning| format!(" {warning}")).unwrap_or_default();
    Err(BadValue::new(format!(
        "Is easy to guess.{why} Take a few words that do not belong together."
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_everybody_tries_is_refused_and_no_kind_of_character_is_asked_for() {
        let judge = |text| refuse_guessable(&Password::new(text).unwrap(), &["ada"]);
        for common in [
            "password",
            "12345678",
            "qwertyuiop",
            "iloveyou1",
            "admin123",
            "Bookhub1",
            "P@ssw0rd!",
            "adaadaada",
        ] {
            assert!(judge(common).is_err(), "{common}");
        }
        for good in ["correct horse", "kein schlechtes wort", "नमस्ते दुनिया", "zkqvmwtr"]
        {
            assert!(judge(good).is_ok(), "{good}");
        }
    }
}
