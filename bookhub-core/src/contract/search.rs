//! Books are found.

use std::{collections::BTreeSet, sync::Arc};

use super::samples::{any_book, book, insert, isbn, rename};
use crate::{BookQuery, SearchQuery, Store};

const BOOKS: [(&str, &str); 14] = [
    ("Harry Potter and the Sorcerer's Stone", "J. K. Rowling"),
    ("The Hobbit", "J. R. R. Tolkien"),
    ("Cien años de soledad", "Gabriel García Márquez"),
    ("Le Petit Prince", "Antoine de Saint-Exupéry"),
    ("Catch-22", "Joseph Heller"),
    ("1984", "George Orwell"),
    ("Преступление и наказание", "Фёдор Достоевский"),
    ("Ὀδύσσεια", "Ὅμηρος"),
    ("三体", "刘慈欣"),
    ("गोदान", "प्रेमचंद"),
    ("Der Große Gatsby", "F. Scott Fitzgerald"),
    ("Snømannen", "Jo Nesbø"),
    ("A", "B"),
    ("الف ليلة وليلة", "مجهول"),
];

/// Queries, and which of [`BOOKS`] they find.
const QUERIES: [(&str, &[usize]); 41] = [
    ("harry", &[0]),
    ("HARRY POTTER", &[0]),
    ("potter harry", &[0]),
    ("potter rowling", &[0]),
    ("sorcerers", &[0]),
    ("sorcerer's", &[0]),
    ("sorcerer’s st", &[0]),
    ("sorcerer", &[0]),
    ("sorcerer stone", &[]),
    ("harr potter", &[]),
    ("harry harry", &[0]),
    ("harry har", &[0]),
    ("the", &[0, 1]),
    ("the h", &[0, 1]),
    ("the ho", &[1]),
    ("t", &[0, 1]),
    ("j", &[0, 1, 4, 11]),
    ("j r r tolkien", &[1]),
    ("garcia marquez", &[2]),
    ("GARCÍA MÁRQUEZ", &[2]),
    ("anos", &[2]),
    ("saint exupery", &[3]),
    ("saint-exupéry", &[3]),
    ("exup", &[3]),
    ("catch 22", &[4]),
    ("catch-22", &[4]),
    ("1984", &[5]),
    ("19", &[5]),
    ("ПРЕСТУПЛЕНИЕ", &[6]),
    ("федор", &[6]),
    ("οδυσσεια ομηρος", &[7]),
    ("三", &[8]),
    ("三体 刘", &[8]),
    ("गोदान", &[9]),
    ("प्रेम", &[9]),
    ("grosse gatsby", &[10]),
    ("snomannen nesbo", &[11]),
    ("ليلة", &[13]),
    ("nothing like it", &[]),
    ("!!!", &[]),
    ("harry & potter, (stone)", &[0]),
];

/// What people type finds what they mean: whatever the case, accents, punctuation and script, with
/// the last word not yet complete.
pub async fn books_are_found_by_what_people_type(store: Arc<dyn Store>) {
    let mut ids = Vec::new();
    for (number, (title, author)) in BOOKS.into_iter().enumerate() {
        let mut book = book(title, author, number as i64);
        book.content.isbn = (number == 1).then(|| "9780547928227".parse().expect("an ISBN"));
        ids.push(insert(&*store, book).await.id);
    }
    let isbns = [
        "054792822X",
        "0-547-92822-x",
        "978-0-547-92822-7",
        "9780547928227",
        "97805479",
        "hobbit 978",
    ];
    let by_isbn = isbns.map(|text| (text, &[1_usize][..]));
    for (text, expected) in QUERIES.into_iter().chain(by_isbn) {
        let expected: BTreeSet<_> = expected.iter().map(|number| ids[*number]).collect();
        assert_eq!(found(&*store, text).await, expected, "{text}");
    }
}

/// A book is found by what it says now, and by nothing that it said before.
pub async fn a_search_follows_every_change(store: Arc<dyn Store>) {
    let mut emma = any_book();
    emma.content.isbn = Some(isbn(7));
    let emma = insert(&*store, emma).await;
    let here = BTreeSet::from([emma.id]);
    let number = isbn(7).to_string();
    for text in ["emma", "emma aus", "e", &number, &number[..9], &number[..5]] {
        assert_eq!(found(&*store, text).await, here, "{text}");
    }
    rename(&*store, &emma, "Ulysses").await;
    for (text, is_found) in [("emma", false), ("em", false), ("ulysses", true), ("austen", true)] {
        assert_eq!(found(&*store, text).await.contains(&emma.id), is_found, "{text}");
    }
    store.delete_book(emma.id, None).await.expect("deleted");
    for text in ["ulysses", "u", "austen", &number, &number[..5]] {
        assert_eq!(found(&*store, text).await, BTreeSet::new(), "{text}");
    }
}

async fn found(store: &dyn Store, text: &str) -> BTreeSet<crate::BookId> {
    let query = BookQuery::default().with_search(SearchQuery::parse(text).expect("a query"));
    let page = store.books(&query).await.expect("listed");
    assert_eq!(page.total.count, page.books.len() as u64);
    page.books.iter().map(|book| book.id).collect()
}
