//! What events are about: [`Topic`] names, the [`TopicPattern`]s that clients follow, and the
//! [`Filter`] of one connection. Pure values; who may follow what is `auth.rs`.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    str::FromStr,
    sync::Arc,
};

use indexmap::Equivalent;
use serde::{Deserialize, Serialize, de, ser};
use smallvec::SmallVec;

/// The longest name of a topic or pattern, in bytes.
const MAX_LEN: usize = 128;

/// The name of a topic: parts of ASCII letters, digits, `_`, `-` and `:`, joined by `.`; at most
/// 128 bytes.
///
/// A topic is there as soon as somebody publishes to it or follows it, and costs nothing before and
/// after. Cloning is cheap: make a topic once and publish to it often.
///
/// ```
/// use bookhub_realtime::Topic;
///
/// let topic: Topic = "orders.42".parse()?;
/// assert_eq!(topic.as_str(), "orders.42");
/// assert!("orders.*".parse::<Topic>().is_err(), "a pattern is no topic");
/// # Ok::<(), bookhub_realtime::ParseTopicError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic(Name);

/// What a client follows: a topic, or a pattern in which `*` stands for exactly one part. At most
/// 128 bytes.
///
/// ```
/// use bookhub_realtime::{Topic, TopicPattern};
///
/// let pattern: TopicPattern = "orders.*".parse()?;
/// assert!(pattern.matches(&"orders.42".parse()?));
/// assert!(!pattern.matches(&"orders".parse()?));
/// assert!(!pattern.matches(&"orders.42.items".parse()?));
/// # Ok::<(), bookhub_realtime::ParseTopicError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPattern {
    name: Name,
    wild: bool,
}

/// A text with a number that tells most others from it without a look at the text: each event is
/// held against the topics of those who may want it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    text: Arc<str>,
    fingerprint: u64,
}

impl Name {
    fn is(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint && self.text == other.text
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.fingerprint);
    }
}

/// The name of a pattern without a `*`, by which its topic is found.
pub(crate) struct Exact<'a>(&'a Name);

impl Hash for Exact<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Equivalent<Topic> for Exact<'_> {
    fn equivalent(&self, topic: &Topic) -> bool {
        self.0.is(&topic.0)
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        Self { text: text.into(), fingerprint: hasher.finish() }
    }
}

/// A text that names no topic.
///
/// ```
/// use bookhub_realtime::{ParseTopicError, Topic, TopicPattern};
///
/// assert_eq!("orders..42".parse::<Topic>(), Err(ParseTopicError));
/// assert_eq!("orders.4*".parse::<TopicPattern>(), Err(ParseTopicError), "a star is a whole part");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a topic: expected parts of letters, digits, '_', '-' or ':' joined by '.', at most 128 bytes"
)]
pub struct ParseTopicError;

impl Topic {
    /// The name.
    ///
    /// ```
    /// use bookhub_realtime::Topic;
    ///
    /// let topic: Topic = "orders.42".parse()?;
    /// assert_eq!(topic.as_str(), topic.to_string());
    /// # Ok::<(), bookhub_realtime::ParseTopicError>(())
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }
}

impl TopicPattern {
    /// The pattern as text.
    ///
    /// ```
    /// use bookhub_realtime::{Topic, TopicPattern};
    ///
    /// let pattern = TopicPattern::from("orders.42".parse::<Topic>()?);
    /// assert_eq!(pattern.as_str(), "orders.42");
    /// # Ok::<(), bookhub_realtime::ParseTopicError>(())
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name.text
    }

    /// The one topic it stands for, if it has no `*`.
    pub(crate) fn exact(&self) -> Option<Exact<'_>> {
        (!self.wild).then_some(Exact(&self.name))
    }

    pub(crate) const fn text(&self) -> &Arc<str> {
        &self.name.text
    }

    /// Whether it has a `*`, and so stands for many topics.
    ///
    /// ```
    /// use bookhub_realtime::TopicPattern;
    ///
    /// assert!("orders.*".parse::<TopicPattern>()?.is_wild());
    /// assert!(!"orders.42".parse::<TopicPattern>()?.is_wild());
    /// # Ok::<(), bookhub_realtime::ParseTopicError>(())
    /// ```
    #[must_use]
    pub const fn is_wild(&self) -> bool {
        self.wild
    }

    /// Whether events of `topic` are among those the pattern stands for.
    ///
    /// ```
    /// use bookhub_realtime::TopicPattern;
    ///
    /// let pattern: TopicPattern = "*.42".parse()?;
    /// assert!(pattern.matches(&"orders.42".parse()?));
    /// assert!(!pattern.matches(&"orders.43".parse()?));
    /// # Ok::<(), bookhub_realtime::ParseTopicError>(())
    /// ```
    #[must_use]
    pub fn matches(&self, topic: &Topic) -> bool {
        if !self.wild {
            return self.name.is(&topic.0);
        }
        let mut parts = topic.as_str().split('.');
        let fits = self
            .as_str()
            .split('.')
            .all(|wanted| parts.next().is_some_and(|part| wanted == "*" || wanted == part));
        fits && parts.next().is_none()
    }
}

fn is_name(part: &str) -> bool {
    !part.is_empty()
        && part.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b':'))
}

impl FromStr for Topic {
    type Err = ParseTopicError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = text.len() <= MAX_LEN && text.split('.').all(is_name);
        fits.then(|| Self(text.into())).ok_or(ParseTopicError)
    }
}

impl FromStr for TopicPattern {
    type Err = ParseTopicError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits =
            text.len() <= MAX_LEN && text.split('.').all(|part| part == "*" || is_name(part));
        fits.then(|| Self { name: text.into(), wild: text.contains('*') }).ok_or(ParseTopicError)
    }
}

impl From<Topic> for TopicPattern {
    fn from(topic: Topic) -> Self {
        Self { name: topic.0, wild: false }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for TopicPattern {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for TopicPattern {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// What one connection wants of the log: patterns, each from a place in the log on.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    /// The first one stands in the lane itself: most connections have no other, and a writer looks at
    /// it for each event.
    wanted: SmallVec<[(TopicPattern, u64); 1]>,
}

impl Filter {
    /// Wants `pattern` from the entry with sequence number `from` on. A pattern that is followed
    /// already keeps its earlier start.
    pub(crate) fn add(&mut self, pattern: TopicPattern, from: u64) {
        if !self.has(&pattern) {
            self.wanted.push((pattern, from));
        }
    }

    /// Gives back what it does not need: most clients stay with the topics that they began with.
    pub(crate) fn shrink(&mut self) {
        self.wanted.shrink_to_fit();
    }

    /// Wants the pattern no longer; says whether it did.
    pub(crate) fn remove(&mut self, pattern: &TopicPattern) -> bool {
        let before = self.wanted.len();
        self.wanted.retain(|(known, _)| known != pattern);
        self.wanted.len() < before
    }

    pub(crate) fn has(&self, pattern: &TopicPattern) -> bool {
        self.wanted.iter().any(|(known, _)| known == pattern)
    }

    /// The patterns, each with the sequence number from which on it is wanted.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = (&TopicPattern, u64)> {
        self.wanted.iter().map(|(pattern, from)| (pattern, *from))
    }

    pub(crate) fn patterns(&self) -> impl Iterator<Item = &TopicPattern> {
        self.wanted.iter().map(|(pattern, _)| pattern)
    }

    /// Wants nothing any more, and answers what it wanted.
    pub(crate) fn clear(&mut self) -> Vec<TopicPattern> {
        std::mem::take(&mut self.wanted).into_iter().map(|(pattern, _)| pattern).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.wanted.len()
    }

    /// Whether the entry `seq` of `topic` is wanted.
    pub(crate) fn wants(&self, topic: &Topic, seq: u64) -> bool {
        self.wanted.iter().any(|(pattern, from)| *from <= seq && pattern.matches(topic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_empty_parts_quotes_or_stars_are_no_topics() {
        for text in ["", ".", "a.", ".a", "a..b", "a b", "a\"b", "*", "a.*", "ä"] {
            assert!(text.parse::<Topic>().is_err(), "{text}");
        }
        assert!("a".repeat(129).parse::<Topic>().is_err());
        assert!("a*".parse::<TopicPattern>().is_err(), "a star is a whole part");
    }

    #[test]
    fn a_topic_is_wanted_from_its_start_on() {
        let mut filter = Filter::default();
        let topic: Topic = "orders.7".parse().unwrap();
        filter.add("orders.*".parse().unwrap(), 10);
        assert!(!filter.wants(&topic, 9));
        assert!(filter.wants(&topic, 10));
        filter.add("orders.7".parse().unwrap(), 5);
        assert!(filter.wants(&topic, 5));
        filter.remove(&"orders.*".parse().unwrap());
        assert_eq!(filter.len(), 1);
    }
}
