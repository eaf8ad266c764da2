//! Who follows what: finds those who may want a topic without a look at anybody else.

use std::{collections::BTreeMap, hash::Hash, sync::Arc};

use indexmap::IndexMap;

use crate::topic::{Topic, TopicPattern};

/// Those who follow one pattern, by their numbers.
pub(crate) type Followers<T> = IndexMap<u64, T>;

/// Followers by pattern. A pattern that nobody follows takes no room.
#[derive(Debug)]
pub(crate) struct Index<T> {
    by_pattern: IndexMap<Arc<str>, Followers<T>>,
    /// Of each shape, how many patterns with a `*` have it.
    shapes: BTreeMap<Shape, usize>,
}

/// What a pattern with a `*` is without its names. A topic is looked up once for each shape that
/// has as many parts as it, and not held against each pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    parts: usize,
    /// A bit for each part that is a `*`. A name of 128 bytes has 64 parts at most.
    wild: u64,
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self { by_pattern: IndexMap::new(), shapes: BTreeMap::new() }
    }
}

impl<T> Index<T> {
    /// Enters a follower of the pattern; one that is there already stays.
    pub(crate) fn follow(&mut self, pattern: &TopicPattern, number: u64, follower: T) {
        let followers = self.by_pattern.entry(Arc::clone(pattern.text())).or_insert_with(|| {
            if pattern.is_wild() {
                *self.shapes.entry(Shape::of(pattern)).or_default() += 1;
            }
            Followers::new()
        });
        followers.entry(number).or_insert(follower);
    }

    /// Removes a follower of the pattern, if it is there.
    pub(crate) fn unfollow(&mut self, pattern: &TopicPattern, number: u64) {
        let Some(followers) = self.by_pattern.get_mut(pattern.as_str()) else {
            return;
        };
        followers.swap_remove(&number);
        if !followers.is_empty() {
            give_back(followers);
            return;
        }
        self.by_pattern.swap_remove(pattern.as_str());
        give_back(&mut self.by_pattern);
        if pattern.is_wild() {
            let shape = Shape::of(pattern);
            if let Some(count) = self.shapes.get_mut(&shape) {
                *count -= 1;
                if *count == 0 {
                    self.shapes.remove(&shape);
                }
            }
        }
    }

    /// Adds the places of all patterns that stand for the topic. They hold until the next change.
    pub(crate) fn find(&self, topic: &Topic, places: &mut Vec<usize>) {
        places.extend(self.by_pattern.get_index_of(topic.as_str()));
        if self.shapes.is_empty() {
            return;
        }
        let parts = topic.as_str().split('.').count();
        let first = Shape { parts, wild: 0 };
        let last = Shape { parts, wild: u64::MAX };
        let mut text = String::new();
        for (shape, _) in self.shapes.range(first..=last) {
            shape.put_around(topic, &mut text);
            places.extend(self.by_pattern.get_index_of(text.as_str()));
        }
    }

    /// Those who follow the pattern at this place.
    pub(crate) fn at(&mut self, place: usize) -> Option<&mut Followers<T>> {
        self.by_pattern.get_index_mut(place).map(|(_, followers)| followers)
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Gives back the room of those who are gone, once it is most of it.
pub(crate) fn give_back<K: Eq + Hash, V>(map: &mut IndexMap<K, V>) {
    if map.capacity() > 4 * (map.len() + 16) {
        map.shrink_to(2 * map.len());
    }
}

impl Shape {
    fn of(pattern: &TopicPattern) -> Self {
        let parts = pattern.as_str().split('.');
        let (parts, wild) = parts.fold((0, 0), |(count, wild), part| {
            (count + 1, if part == "*" { wild | 1 << count } else { wild })
        });
        Self { parts, wild }
    }

    /// Writes the pattern of this shape that stands for the topic.
    fn put_around(self, topic: &Topic, text: &mut String) {
        text.clear();
        for (index, part) in topic.as_str().split('.').enumerate() {
            if index > 0 {
                text.push('.');
            }
            text.push_str(if self.wild >> index & 1 == 1 { "*" } else { part });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::{prelude::*, sample::select};

    use super::*;

    fn found(index: &mut Index<()>, topic: &Topic) -> BTreeSet<u64> {
        let mut places = Vec::new();
        index.find(topic, &mut places);
        let mut numbers = BTreeSet::new();
        for place in places {
            numbers.extend(index.at(place).unwrap().keys().copied());
        }
        numbers
    }

    proptest! {
        /// Whoever comes and goes, a topic finds those whose patterns stand for it.
        #[test]
        fn a_topic_finds_its_followers(
            steps in prop::collection::vec((any::<bool>(), 0..6_u64, "[ab*](\\.[ab*]){0,2}"), 0..60),
        ) {
            let mut index = Index::default();
            let mut model: BTreeSet<(u64, TopicPattern)> = BTreeSet::new();
            for (follows, number, pattern) in steps {
                let pattern: TopicPattern = pattern.parse().unwrap();
                if follows {
                    index.follow(&pattern, number, ());
                    model.insert((number, pattern));
                } else {
                    index.unfollow(&pattern, number);
                    model.remove(&(number, pattern));
                }
                for topic in ["a", "b", "a.b", "b.b", "a.b.a", "a.a.a.a"] {
                    let topic = topic.parse().unwrap();
                    let fits = model.iter().filter(|(_, pattern)| pattern.matches(&topic));
                    let expected: BTreeSet<u64> = fits.map(|(number, _)| *number).collect();
                    prop_assert_eq!(found(&mut index, &topic), expected);
                }
            }
        }

        /// When all are gone, nothing is kept.
        #[test]
        fn who_is_gone_takes_no_room(
            patterns in prop::collection::vec(select(vec!["a", "a.*", "*.a", "*", "b.*"]), 0..20),
        ) {
            let mut index = Index::default();
            let patterns: Vec<TopicPattern> =
                patterns.iter().map(|pattern| pattern.parse().unwrap()).collect();
            for (pattern, number) in patterns.iter().zip(0..) {
                index.follow(pattern, number, ());
            }
            for (pattern, number) in patterns.iter().zip(0..) {
                index.unfollow(pattern, number);
            }
            prop_assert!(index.by_pattern.is_empty() && index.shapes.is_empty());
        }
    }

    #[test]
    fn room_is_given_back() {
        let mut index = Index::default();
        let pattern = |number| format!("a.{number}").parse::<TopicPattern>().unwrap();
        (0..10_000).for_each(|number| index.follow(&pattern(number), number, ()));
        (0..10_000).for_each(|number| index.unfollow(&pattern(number), number));
        assert!(index.by_pattern.capacity() < 100);
    }

    #[test]
    fn the_longest_topic_has_a_shape() {
        let topic: Topic = vec!["a"; 64].join(".").parse().unwrap();
        let mut index = Index::default();
        let wild: TopicPattern = vec!["*"; 64].join(".").parse().unwrap();
        index.follow(&wild, 7, ());
        assert_eq!(found(&mut index, &topic), BTreeSet::from([7]));
    }
}
