//! What callers ask of the catalogue: which books, in which order, from where on ([`BookQuery`]),
//! and what they get ([`BookPage`]); and the same of orders ([`OrderQuery`]), accounts ([`UserQuery`]), the
//! audit trail ([`AuditQuery`]) and the dashboard ([`DashboardQuery`]). Must not know how a store answers.

mod audit;
mod cursor;
mod dashboard;
mod orders;
mod page;
mod sort;
mod users;

pub use audit::{AuditPage, AuditQuery};
pub use cursor::{Cursor, SortKey};
pub use dashboard::DashboardQuery;
pub use orders::{OrderCursor, OrderPage, OrderQuery};
pub use page::{BookPage, GenreCount, LowStock, PageSize, Total};
pub use sort::{Direction, Sort, SortBy};
pub use users::{UserPage, UserQuery};

use crate::{
    book::{Book, Year},
    error::{BadValue, FieldError, Invalid},
    search::{GenreKey, SearchQuery, terms},
};

/// Which books somebody wants to see: found by words, of a genre, of some years; in which order,
/// how many, and after which.
///
/// ```
/// use bookhub_core::{BookQuery, Sort};
///
/// let query = BookQuery::parse([("q", "hobb"), ("genre", "Fantasy"), ("sort", "-price")]).unwrap();
/// assert_eq!(query.search().unwrap().prefix(), Some("hobb"));
/// assert_eq!(query.sort(), "-price".parse::<Sort>().unwrap());
/// assert_eq!(query.limit().get(), 24);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BookQuery {
    search: Option<SearchQuery>,
    genre: Option<GenreKey>,
    year_min: Option<i16>,
    year_max: Option<i16>,
    sort: Sort,
    limit: PageSize,
    after: Option<Cursor>,
}

/// Reads parameters one by one, each at most once. Returns what is wrong with them.
pub(crate) fn read_each<N: AsRef<str>, V: AsRef<str>>(
    parameters: impl IntoIterator<Item = (N, V)>,
    mut read: impl FnMut(&str, &str) -> Result<(), BadValue>,
) -> Vec<FieldError> {
    let (mut seen, mut errors) = (Vec::new(), Vec::new());
    for (name, value) in parameters {
        let name = name.as_ref();
        let done = if seen.iter().any(|other| other == name) {
            Err(BadValue::new("Is given twice: give it once."))
        } else {
            read(name, value.as_ref())
        };
        seen.push(name.to_owned());
        if let Err(problem) = done {
            errors.push(FieldError::new(name.chars().take(100).collect::<String>(), problem));
        }
    }
    errors
}

/// The query that these parameters make, each of which `read` puts into it.
pub(crate) fn read_query<Q: Default, N: AsRef<str>, V: AsRef<str>>(
    parameters: impl IntoIterator<Item = (N, V)>,
    read: impl Fn(&mut Q, &str, &str) -> Result<(), BadValue>,
) -> Result<Q, Invalid> {
    let mut query = Q::default();
    let errors = read_each(parameters, |name, value| read(&mut query, name, value));
    Invalid::unless(errors, Some(query))
}

/// What is wrong with a parameter that is none of the `known` ones.
pub(crate) fn unknown(known: &str) -> BadValue {
    let way_out = "leave it out or correct its name";
    BadValue::new(format!("Is not known here: {way_out}. Known are {known}."))
}

impl BookQuery {
    /// Reads the parameters of a query: `q`, `genre`, `yearMin`, `yearMax`, `sort`, `limit` and
    /// `cursor`, each at most once. A blank `q` or `genre` asks for nothing.
    pub fn parse<N: AsRef<str>, V: AsRef<str>>(
        parameters: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, Invalid> {
        let (mut query, mut cursor) = (Self::default(), None);
        let mut errors = read_each(parameters, |name, value| {
            if name == "cursor" {
                cursor = Some(value.to_owned());
                return Ok(());
            }
            query.read(name, value)
        });
        if query.year_min.zip(query.year_max).is_some_and(|(min, max)| min > max) {
            errors.push(FieldError::new("yearMin", "Must not be after yearMax: swap the two."));
        }
        match cursor.map(|text| Cursor::parse(&text, query.sort)).transpose() {
            Ok(after) => query.after = after,
            Err(problem) => errors.push(FieldError::new("cursor", problem)),
        }
        Invalid::unless(errors, Some(query))
    }

    fn read(&mut self, name: &str, value: &str) -> Result<(), BadValue> {
        let said = !value.trim().is_empty();
        match name {
            "q" => self.search = said.then(|| SearchQuery::parse(value)).transpose()?,
            "genre" => self.genre = said.then(|| GenreKey::parse(value)),
            "yearMin" => self.year_min = Some(year_bound(value)?),
            "yearMax" => self.year_max = Some(year_bound(value)?),
            "sort" => self.sort = value.parse()?,
            "limit" => self.limit = value.parse()?,
            _ => return Err(unknown("q, genre, yearMin, yearMax, sort, limit, cursor")),
        }
        Ok(())
    }

    /// This query, but only books that `search` finds.
    #[must_use]
    pub fn with_search(mut self, search: SearchQuery) -> Self {
        self.search = Some(search);
        self
    }

    /// This query, but only books of this genre.
    #[must_use]
    pub fn with_genre(mut self, genre: GenreKey) -> Self {
        self.genre = Some(genre);
        self
    }

    /// This query, but only books of these years, both ends included.
    #[must_use]
    pub fn with_years(mut self, min: Option<i16>, max: Option<i16>) -> Self {
        (self.year_min, self.year_max) = (min, max);
        self
    }

    /// This query in this order, from its start.
    #[must_use]
    pub fn with_sort(mut self, sort: Sort) -> Self {
        (self.sort, self.after) = (sort, None);
        self
    }

    /// This query with pages of this size.
    #[must_use]
    pub fn with_limit(mut self, limit: PageSize) -> Self {
        self.limit = limit;
        self
    }

    /// This query from behind a cursor on, in the order for which the cursor was made.
    #[must_use]
    pub fn after_cursor(mut self, cursor: Cursor) -> Self {
        (self.sort, self.after) = (cursor.sort(), Some(cursor));
        self
    }

    /// By which words.
    #[must_use]
    pub fn search(&self) -> Option<&SearchQuery> {
        self.search.as_ref()
    }

    /// Of which genre.
    #[must_use]
    pub fn genre(&self) -> Option<&GenreKey> {
        self.genre.as_ref()
    }

    /// From which year on.
    #[must_use]
    pub fn year_min(&self) -> Option<i16> {
        self.year_min
    }

    /// Up to which year.
    #[must_use]
    pub fn year_max(&self) -> Option<i16> {
        self.year_max
    }

    /// In which order.
    #[must_use]
    pub fn sort(&self) -> Sort {
        self.sort
    }

    /// At most how many.
    #[must_use]
    pub fn limit(&self) -> PageSize {
        self.limit
    }

    /// After which place in the order; its sort is that of the query.
    #[must_use]
    pub fn after(&self) -> Option<&Cursor> {
        self.after.as_ref()
    }

    /// Whether `book` is among the books asked for, wherever it stands in their order. This is the
    /// definition that every backend implements with indexes.
    #[must_use]
    pub fn matches(&self, book: &Book) -> bool {
        let year = book.content.year.number();
        self.year_min.is_none_or(|min| min <= year)
            && self.year_max.is_none_or(|max| year <= max)
            && self.genre.as_ref().is_none_or(|genre| *genre == GenreKey::of(&book.content.genre))
            && self.search.as_ref().is_none_or(|search| search.matches(&terms(&book.content)))
    }
}

/// A year that bounds others need not be one in which a book can come out.
fn year_bound(text: &str) -> Result<i16, BadValue> {
    let refused = || BadValue::new(format!("Must be a year from {} to 9999.", Year::FIRST));
    let year = text.trim().parse().map_err(|_| refused())?;
    if (Year::FIRST..=9999).contains(&year) { Ok(year) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(parameters: &[(&str, &str)]) -> Vec<String> {
        let invalid = BookQuery::parse(parameters.iter().copied()).unwrap_err();
        invalid.errors().iter().map(|error| error.field.clone().into_owned()).collect()
    }

    #[test]
    fn nothing_asked_means_the_newest_books() {
        let query = BookQuery::parse([("q", " "), ("genre", "")]).unwrap();
        assert_eq!(query, BookQuery::default());
        assert_eq!(query.sort(), Sort::NEWEST);
    }

    #[test]
    fn each_wrong_parameter_is_named() {
        for (name, value) in [
            ("q", "x".repeat(201).as_str()),
            ("yearMin", "soon"),
            ("yearMin", ""),
            ("yearMax", "10000"),
            ("sort", "colour"),
            ("sort", "--price"),
            ("limit", "-1"),
            ("limit", "0"),
            ("limit", "101"),
            ("limit", "1e1"),
            ("cursor", ""),
            ("cursor", "made-up"),
            ("page", "2"),
            ("Q", "x"),
        ] {
            assert_eq!(fields(&[(name, value)]), [name], "{name}={value}");
        }
        assert_eq!(fields(&[("yearMin", "2000"), ("yearMax", "1999")]), ["yearMin"]);
        assert_eq!(fields(&[("q", "a"), ("q", "a")]), ["q"]);
        assert_eq!(fields(&[("limit", "0"), ("sort", "x"), ("y", "")]), ["limit", "sort", "y"]);
    }
}
