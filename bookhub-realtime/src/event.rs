//! What an event may be: its name, its data as JSON, and its key. Pure values.

use serde::Serialize;

use crate::error::PublishError;

/// The most that one event may carry, as JSON.
const MAX_DATA: usize = 16 << 20;

/// The longest key, in bytes.
const MAX_KEY: usize = 256;

/// The data of an event with this name, as JSON.
pub(crate) fn encode(
    name: &str,
    data: &(impl Serialize + ?Sized),
) -> Result<Vec<u8>, PublishError> {
    let named = (1..=64).contains(&name.len())
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-.:".contains(&c));
    if !named {
        return Err(PublishError::EventName(name.to_owned()));
    }
    let mut data = serde_json::to_vec(data)?;
    if data.len() > MAX_DATA {
        return Err(PublishError::TooLarge(data.len()));
    }
    // Between the tokens of raw JSON a line break is a space, and an event stream needs it so.
    data.iter_mut().filter(|c| matches!(c, b'\n' | b'\r')).for_each(|c| *c = b' ');
    Ok(data)
}

pub(crate) fn check_key(key: &str) -> Result<(), PublishError> {
    match key.len() {
        1..=MAX_KEY => Ok(()),
        len => Err(PublishError::Key(len)),
    }
}
