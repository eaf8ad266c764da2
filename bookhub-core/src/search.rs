//! What search means, on every backend: [`normalise`], the [`terms`] of a book, and the
//! [`SearchQuery`] that is asked of them. Must not know how terms are indexed.
//!
//! A book is found if each word of the query but the last is one of its terms and the last is the
//! beginning of one. On a backend that is an equality per word and one anchored prefix on a
//! multikey index of terms.

use unicode_normalization::UnicodeNormalization;

use crate::{
    book::{BookContent, Genre},
    error::BadValue,
    isbn::Isbn,
};

/// A text in the form in which texts are compared: compatibility forms, accents, letter case and
/// punctuation are gone, words stand apart by one space.
///
/// Apostrophes join what they stand between. Accents of Latin, Greek, Cyrillic, Hebrew and Arabic
/// go; the vowel signs of scripts like Devanagari stay, because without them words become others.
///
/// ```
/// use bookhub_core::normalise;
///
/// assert_eq!(normalise("Harry Potter & the Sorcerer’s Stone"), "harry potter the sorcerers stone");
/// assert_eq!(normalise("García MÁRQUEZ"), "garcia marquez");
/// assert_eq!(normalise("Catch-22"), "catch 22");
/// assert_eq!(normalise("Straße"), "strasse");
/// ```
#[must_use]
pub fn normalise(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    if text.is_ascii() {
        text.bytes().for_each(|byte| push(char::from(byte).to_ascii_lowercase(), &mut folded));
    } else {
        // Lower case of a decomposed letter may decompose again, and what vanished may leave
        // marks next to each other that have an order among themselves.
        let lower = text.nfkd().flat_map(char::to_lowercase).nfkd();
        lower.for_each(|c| push(c, &mut folded));
        folded = folded.nfd().collect();
    }
    folded.truncate(folded.trim_end().len());
    folded
}

/// The distinct words of a book by which it is found, sorted: of its title and author, and its
/// ISBN.
///
/// ```
/// # use bookhub_core::{terms, Book, BookDraft};
/// # let json = serde_json::json!({"title": "Emma", "author": "Jane Austen", "genre": "Classics",
/// #     "year": 1815, "price": 199, "isbn": "0141439580"});
/// # let emma = BookDraft::from_json(json.as_object().unwrap()).unwrap().content;
/// assert_eq!(terms(&emma), ["9780141439587", "austen", "emma", "jane"]);
/// ```
#[must_use]
pub fn terms(book: &BookContent) -> Vec<String> {
    let mut terms = words(book);
    terms.extend(book.isbn.map(|isbn| isbn.to_string()));
    terms.sort_unstable();
    terms.dedup();
    terms
}

/// The distinct words of a book's title and author, sorted.
pub(crate) fn words(book: &BookContent) -> Vec<String> {
    let (title, author) = (normalise(book.title.as_str()), normalise(book.author.as_str()));
    let words = title.split(' ').chain(author.split(' '));
    let mut words: Vec<_> = words.filter(|word| !word.is_empty()).map(String::from).collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// The form of a title or author by which books are sorted: normalised, and cut to its first 120
/// characters (so that a cursor stays short; what is equal so far is sorted by id).
///
/// ```
/// use bookhub_core::sort_key;
///
/// assert!(sort_key("Émile") < sort_key("emma"));
/// ```
#[must_use]
pub fn sort_key(text: &str) -> String {
    let mut key = normalise(text);
    if let Some((end, _)) = key.char_indices().nth(120) {
        key.truncate(end);
    }
    key
}

/// The form of a genre by which books stand on one shelf.
///
/// ```
/// use bookhub_core::GenreKey;
///
/// assert_eq!(GenreKey::parse("  FANTASY"), GenreKey::parse("Fantasy"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GenreKey(Box<str>);

impl GenreKey {
    /// The key of a book's genre.
    #[must_use]
    pub fn of(genre: &Genre) -> Self {
        Self::parse(genre.as_str())
    }

    /// The key of a genre that somebody asks for.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let key = normalise(text);
        // A genre such as "★★★" has no words; it stands for itself.
        Self(if key.is_empty() { text.trim().into() } else { key.into() })
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What somebody looks for: whole words, and the beginning of a word.
///
/// ```
/// use bookhub_core::SearchQuery;
///
/// let query = SearchQuery::parse("Harry Pot").unwrap();
/// assert_eq!((query.words(), query.prefix()), (&["harry".to_owned()][..], Some("pot")));
///
/// let isbn = SearchQuery::parse("0-547-92822-X").unwrap();
/// assert_eq!(isbn.prefix(), Some("9780547928227"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchQuery {
    words: Vec<String>,
    prefix: Option<String>,
}

impl SearchQuery {
    /// The most characters a query may have.
    pub const MAX_CHARS: usize = 200;

    /// Reads a query. A text that is an ISBN as a whole, of 10 or 13 digits, means that book; one
    /// without a letter or digit finds nothing.
    pub fn parse(text: &str) -> Result<Self, BadValue> {
        if text.chars().count() > Self::MAX_CHARS {
            let most = Self::MAX_CHARS;
            return Err(BadValue::new(format!("Must have at most {most} characters.")));
        }
        if let Ok(isbn) = text.parse::<Isbn>() {
            return Ok(Self { words: Vec::new(), prefix: Some(isbn.to_string()) });
        }
        let normal = normalise(text);
        let mut words: Vec<_> =
            normal.split(' ').filter(|word| !word.is_empty()).map(String::from).collect();
        let prefix = words.pop();
        words.sort_unstable();
        words.dedup();
        Ok(Self { words, prefix })
    }

    /// The words that must be among a book's terms, distinct and sorted.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// What a term of the book must begin with; `None` if the query finds nothing.
    #[must_use]
    pub fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }

    /// Whether a book with these [`terms`] is found. This is the definition that every backend
    /// implements with an index.
    #[must_use]
    pub fn matches(&self, terms: &[String]) -> bool {
        let Some(prefix) = &self.prefix else {
            return false;
        };
        self.words.iter().all(|word| terms.contains(word))
            && terms.iter().any(|term| term.starts_with(prefix.as_str()))
    }
}

/// Appends one decomposed, lower-case character in its compared form.
fn push(c: char, folded: &mut String) {
    match c {
        'a'..='z' | '0'..='9' => folded.push(c),
        // Apostrophes and soft hyphens join, accents vanish.
        '\'' | '`' | '\u{2bc}' | '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{ff07}' => {}
        '\u{ad}' | '\u{200c}' | '\u{200d}' | '\u{feff}' => {}
        c if is_accent(c) => {}
        'ß' => folded.push_str("ss"),
        'ı' => folded.push('i'),
        'ς' => folded.push('σ'),
        'ø' => folded.push('o'),
        'ł' => folded.push('l'),
        'đ' | 'ð' => folded.push('d'),
        'ħ' => folded.push('h'),
        'þ' => folded.push_str("th"),
        'æ' => folded.push_str("ae"),
        'œ' => folded.push_str("oe"),
        c if c.is_alphanumeric() || unicode_normalization::char::is_combining_mark(c) => {
            folded.push(c);
        }
        _ if folded.is_empty() || folded.ends_with(' ') => {}
        _ => folded.push(' '),
    }
}

/// Whether a combining mark is only an accent: it may be missing without making another word.
fn is_accent(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{487}' | '\u{591}'..='\u{5c7}'
        | '\u{610}'..='\u{61a}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_compared_without_case_accents_and_punctuation() {
        for (text, normal) in [
            ("", ""),
            ("  ?! ", ""),
            ("Don't  Stop—Now", "dont stop now"),
            ("ÅNGSTRÖM", "angstrom"),
            ("İstanbul ılık", "istanbul ilik"),
            ("Jo Nesbø, Stanisław Lem", "jo nesbo stanislaw lem"),
            ("Œuvres Æsop Þórr", "oeuvres aesop thorr"),
            ("Ὀδύσσειας ΟΔΥΣΣΕΙΑΣ", "οδυσσειασ οδυσσειασ"),
            ("Ёлка й", "елка и"),
            ("ﬁne Ⅳ ½", "fine iv 1 2"),
            ("三体、球状闪电", "三体 球状闪电"),
            ("हिन्दी", "हिन्दी"),
            ("קֶשֶׁת", "קשת"),
            ("C++ #1", "c 1"),
            ("\u{1e023}'\u{eb8}", "\u{eb8}\u{1e023}"),
        ] {
            assert_eq!(normalise(text), normal, "{text}");
        }
    }

    proptest! {
        #[test]
        fn normal_texts_stay_as_they_are(text in "\\PC{0,40}") {
            let once = normalise(&text);
            prop_assert_eq!(normalise(&once), once.clone());
            prop_assert!(!once.starts_with(' ') && !once.ends_with(' ') && !once.contains("  "));
        }

        #[test]
        fn letter_case_never_matters(text in "[a-zA-Zà-þÀ-Þß .'-]{0,40}") {
            prop_assert_eq!(normalise(&text.to_uppercase()), normalise(&text));
        }
    }
}
