//! What is asked, the same over HTTP and of the bare driver.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use bookhub_core::{Book, BookId, BookQuery, Cursor, Sort};
use clap::ValueEnum;
use reqwest::Url;

use crate::synthetic::{GENRES, title_word};

/// How many different questions there are of each operation.
pub(crate) const QUESTIONS: usize = 2_048;

/// What the shop does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub(crate) enum Operation {
    Get,
    Update,
    Front,
    Genre,
    Deep,
    Word,
    Words,
    Prefix,
}

impl Operation {
    /// Its name on the command line.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Get => "get a book",
            Self::Front => "list: first page, newest first",
            Self::Genre => "list: first page of a genre, by price",
            Self::Deep => "list: page at any depth, newest first",
            Self::Word => "search: one word",
            Self::Words => "search: two words",
            Self::Prefix => "search: four letters",
            Self::Update => "update a price",
        }
    }
}

/// One thing to ask for.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    Get(BookId),
    /// The parameters of a list.
    List(Vec<(&'static str, String)>),
    /// A book, and its new price in rupees.
    Update(Box<Book>, usize),
}

impl Question {
    /// All the questions of an operation, about these books.
    pub(crate) fn all(operation: Operation, sample: &[Book]) -> Vec<Self> {
        (0..QUESTIONS).map(|number| Self::new(operation, sample, number)).collect()
    }

    fn new(operation: Operation, sample: &[Book], number: usize) -> Self {
        let book = &sample[number * 7_919 % sample.len()];
        let first = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
        let last = |text: &str| text.rsplit(' ').next().unwrap_or_default().to_owned();
        let (title, author) = (book.content.title.as_str(), book.content.author.as_str());
        let frequent = title_word(number % 8);
        let genre = GENRES[number * 7 % GENRES.len()].to_owned();
        Self::List(match operation {
            Operation::Get => return Self::Get(book.id),
            Operation::Update => return Self::Update(Box::new(book.clone()), 2_000 + number),
            Operation::Front => Vec::new(),
            Operation::Genre => vec![("genre", genre), ("sort", "price".to_owned())],
            Operation::Deep => vec![("cursor", Cursor::behind(book, Sort::NEWEST).to_string())],
            Operation::Word => vec![("q", first(title))],
            Operation::Words => vec![("q", format!("{frequent} {}", last(author)))],
            Operation::Prefix => vec![("q", last(author).chars().take(4).collect())],
        })
    }

    /// The whole request.
    pub(crate) fn request(&self, token: &str) -> Result<Vec<u8>> {
        let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: shop\r\naccept: */*\r\n\r\n");
        Ok(match self {
            Self::Get(id) => get(&format!("/api/books/{id}")),
            Self::List(parameters) => {
                let url = Url::parse_with_params("http://shop/api/books", parameters)?;
                get(url.as_str().strip_prefix("http://shop").context("a path")?)
            }
            Self::Update(book, price) => {
                let (id, body) = (book.id, format!(r#"{{"price":{price}}}"#));
                format!(
                    "PATCH /api/books/{id} HTTP/1.1\r\nhost: shop\r\naccept: */*\r\n\
                     authorization: Bearer {token}\r\ncontent-type: application/json\r\n\
                     content-length: {}\r\n\r\n{body}",
                    body.len()
                )
            }
        }
        .into_bytes())
    }

    /// All the requests of an operation.
    pub(crate) fn requests(
        operation: Operation,
        sample: &[Book],
        token: &str,
    ) -> Result<Arc<Vec<Vec<u8>>>> {
        let all = Self::all(operation, sample);
        let all = all.iter().map(|question| question.request(token)).collect::<Result<_>>();
        all.map(Arc::new)
    }

    /// What the shop understands by the parameters.
    pub(crate) fn query(parameters: &[(&'static str, String)]) -> Result<BookQuery> {
        Ok(BookQuery::parse(parameters.iter().map(|(name, value)| (name, value)))?)
    }
}
