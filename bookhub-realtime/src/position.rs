//! Where an event stands: [`Position`] in a log, [`Epoch`] of the log's life, [`EventId`] of both.
//! Pure values; knows nothing of logs, clocks or sockets.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize, de, ser};

/// The place of an event in the log: 128 bits, totally ordered, opaque to clients.
///
/// Position 0 stands before the first event. As text a position is the number of its hexadecimal
/// digits (as one character) and then the digits, so that texts sort as the numbers do.
///
/// ```
/// use bookhub_realtime::Position;
///
/// let position = Position::new(255);
/// assert_eq!(position.to_string(), "2ff");
/// assert_eq!("2ff".parse(), Ok(position));
/// assert!(position.to_string() < Position::new(256).to_string());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u128);

/// One character for each possible number of hexadecimal digits, 1 to 32, in ASCII order.
const LENGTHS: &[u8; 32] = b"123456789abcdefghijklmnopqrstuvw";

impl Position {
    /// The position with this number.
    ///
    /// ```
    /// use bookhub_realtime::Position;
    ///
    /// assert_eq!(Position::new(0), Position::default());
    /// ```
    #[must_use]
    pub const fn new(number: u128) -> Self {
        Self(number)
    }

    /// The number of this position.
    ///
    /// ```
    /// use bookhub_realtime::Position;
    ///
    /// assert_eq!(Position::new(255).number(), 255);
    /// ```
    #[must_use]
    pub const fn number(self) -> u128 {
        self.0
    }

    /// The position right after this one. Behind the last one is none: it stays there.
    ///
    /// ```
    /// use bookhub_realtime::Position;
    ///
    /// assert_eq!(Position::new(9).next(), Position::new(10));
    /// assert_eq!(Position::new(u128::MAX).next(), Position::new(u128::MAX));
    /// ```
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = (128 - self.0.leading_zeros()).div_ceil(4).max(1) as usize;
        write!(f, "{}{:x}", char::from(LENGTHS[digits - 1]), self.0)
    }
}

/// A text that is no position, epoch or event id.
///
/// ```
/// use bookhub_realtime::{EventId, ParsePositionError, Position};
///
/// assert_eq!("3ff".parse::<Position>(), Err(ParsePositionError), "three digits are announced");
/// assert_eq!("shop".parse::<EventId>(), Err(ParsePositionError));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a position: expected the opaque text that the server sent")]
pub struct ParsePositionError;

impl FromStr for Position {
    type Err = ParsePositionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (&length, digits) = text.as_bytes().split_first().ok_or(ParsePositionError)?;
        let expected = LENGTHS.iter().position(|c| *c == length).ok_or(ParsePositionError)? + 1;
        let plain = digits.len() == expected
            && digits.iter().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
            && (expected == 1 || digits[0] != b'0');
        if !plain {
            return Err(ParsePositionError);
        }
        u128::from_str_radix(&text[1..], 16).map(Self).map_err(|_| ParsePositionError)
    }
}

/// The name of a log's life: while it stays the same, positions keep their meaning.
///
/// 1 to 32 ASCII letters, digits or underscores. A log in memory has a random one for each process;
/// a durable log keeps its own with the data.
///
/// ```
/// use bookhub_realtime::Epoch;
///
/// let epoch: Epoch = "shop_2026".parse()?;
/// assert_eq!(epoch.as_str(), "shop_2026");
/// assert!("".parse::<Epoch>().is_err());
/// # Ok::<(), bookhub_realtime::ParsePositionError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(Arc<str>);

impl Epoch {
    /// An epoch that no other log has: 64 random bits.
    ///
    /// ```
    /// use bookhub_realtime::Epoch;
    ///
    /// assert_ne!(Epoch::random(), Epoch::random());
    /// ```
    #[must_use]
    pub fn random() -> Self {
        Self(format!("{:016x}", rand::random::<u64>()).into())
    }

    /// The epoch as text.
    ///
    /// ```
    /// use bookhub_realtime::Epoch;
    ///
    /// let epoch: Epoch = "shop_2026".parse()?;
    /// assert_eq!(epoch.as_str(), epoch.to_string());
    /// # Ok::<(), bookhub_realtime::ParsePositionError>(())
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Epoch {
    type Err = ParsePositionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=32).contains(&text.len())
            && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
        fits.then(|| Self(text.into())).ok_or(ParsePositionError)
    }
}

/// The id of an event, and of any place in the log that a client can resume from:
/// `<epoch>-<position>`.
///
/// Two ids of one epoch compare, as text too, in the order of the log; ids of different epochs do
/// not compare.
///
/// ```
/// use bookhub_realtime::{EventId, Position};
///
/// let id: EventId = "shop-2ff".parse()?;
/// assert_eq!(id.position, Position::new(255));
/// assert_eq!(id.to_string(), "shop-2ff");
/// let later: EventId = "shop-3100".parse()?;
/// assert!(id < later);
/// assert_eq!(id.partial_cmp(&"other-11".parse()?), None);
///
/// let same = EventId { epoch: "shop".parse()?, position: Position::new(255) };
/// assert_eq!(serde_json::json!(same), "shop-2ff");
/// # Ok::<(), bookhub_realtime::ParsePositionError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventId {
    /// The life of the log.
    pub epoch: Epoch,
    /// The place in it.
    pub position: Position,
}

impl PartialOrd for EventId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        (self.epoch == other.epoch).then(|| self.position.cmp(&other.position))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.position)
    }
}

impl FromStr for EventId {
    type Err = ParsePositionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (epoch, position) = text.split_once('-').ok_or(ParsePositionError)?;
        Ok(Self { epoch: epoch.parse()?, position: position.parse()? })
    }
}

impl Serialize for EventId {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_sort_as_the_numbers_do(a: u128, b: u128, shift in 0..128_u32) {
            let (a, b) = (Position::new(a >> shift), Position::new(b));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
            prop_assert_eq!(a.to_string().parse(), Ok(a));
        }

        #[test]
        fn any_text_parses_to_what_prints_the_same_or_not_at_all(text in "[0-9a-w]{0,34}") {
            if let Ok(position) = text.parse::<Position>() {
                prop_assert_eq!(position.to_string(), text);
            }
        }
    }

    #[test]
    fn the_ends_of_the_range_print_and_parse() {
        for number in [0, 1, 15, 16, u128::MAX] {
            let position = Position::new(number);
            assert_eq!(position.to_string().parse(), Ok(position));
        }
    }
}
