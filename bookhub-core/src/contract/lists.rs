//! Books are listed: every filter in every order, page by page.

use std::{collections::HashSet, sync::Arc};

use super::samples::{book, insert, isbn, rename};
use crate::{
    Book, BookId, BookQuery, Cursor, Direction, Genre, GenreKey, PageSize, Price, SearchQuery,
    Sort, SortKey, Store, Total, Year,
};

/// A catalogue with many ties in every sort key.
fn catalogue() -> Vec<Book> {
    const WORDS: [&str; 7] = ["Émile", "emma", "The Sea", "Sea", "zebra", "3 Men", "中国"];
    const GENRES: [&str; 4] = ["Fiction", "fiction", "Sci-Fi", "History"];
    let mut books = Vec::new();
    for number in 0..120_usize {
        let title = format!("{} {}", WORDS[number % 7], WORDS[number * 5 % 7]);
        let author = format!("{} Author", WORDS[number / 3 % 7]);
        let mut book = book(&title, &author, (number / 4) as i64);
        book.content.genre = Genre::new(GENRES[number / 2 % 4]).expect("a genre");
        book.content.year = Year::new([1999, 2000, 1815, -50, 1950][number % 5]).expect("a year");
        book.content.price = Price::from_paise([9_900, 19_950, 0][number % 3]).expect("a price");
        book.content.isbn = (number % 2 == 0).then(|| isbn(number as u64 * 1000));
        books.push(book);
    }
    books
}

fn queries() -> Vec<BookQuery> {
    let all = BookQuery::default();
    let search = |text| SearchQuery::parse(text).expect("a query");
    let genre = GenreKey::parse("FICTION");
    vec![
        all.clone(),
        all.clone().with_genre(genre.clone()),
        all.clone().with_genre(GenreKey::parse("none")),
        all.clone().with_years(Some(1900), None),
        all.clone().with_years(None, Some(1999)),
        all.clone().with_years(Some(-100), Some(1950)),
        all.clone().with_years(Some(2001), Some(2100)),
        all.clone().with_search(search("e")),
        all.clone().with_search(search("sea the")),
        all.clone().with_search(search("the s")).with_genre(genre.clone()),
        all.clone().with_search(search("978")).with_years(Some(1815), Some(2000)),
        all.clone().with_search(search("em")).with_genre(genre).with_years(Some(1815), Some(1999)),
        all.with_search(search("?!")),
    ]
}

/// Every query in every order, walked page by page, gives what its definition says.
pub async fn every_query_is_answered_as_defined(store: Arc<dyn Store>) {
    let books: Vec<_> = catalogue().into_iter().map(Arc::new).collect();
    let copies = books.iter().map(|book| Book::clone(book)).collect();
    store.insert_books(copies).await.expect("inserted");
    for query in queries() {
        for (name, sort) in Sort::ALL {
            let query = query.clone().with_sort(sort);
            let expected = defined(&books, &query);
            for limit in [1, 7, 100] {
                if limit == 1 && expected.len() > 40 {
                    continue;
                }
                let query = query.clone().with_limit(PageSize::new(limit).expect("a limit"));
                let (walked, totals) = walk(&*store, &query).await;
                assert_eq!(walked, expected, "{name} by {limit}: {query:?}");
                let total = Total::exactly(expected.len() as u64);
                assert!(totals.iter().all(|seen| *seen == total), "{totals:?}: {query:?}");
            }
        }
    }
}

/// The next page is found even if the book at the end of the last one is gone.
pub async fn a_cursor_outlives_its_book(store: Arc<dyn Store>) {
    let books: Vec<_> = catalogue().into_iter().map(Arc::new).collect();
    let copies = books.iter().map(|book| Book::clone(book)).collect();
    store.insert_books(copies).await.expect("inserted");
    for (_, sort) in Sort::ALL {
        let query = BookQuery::default().with_sort(sort).with_limit(PageSize::new(5).expect("5"));
        let (all, _) = walk(&*store, &query).await;
        let page = store.books(&query).await.expect("listed");
        let last = &page.books[4];
        store.delete_book(last.id, None).await.expect("deleted");
        let query = query.after_cursor(page.next.expect("a next page"));
        let page = store.books(&query).await.expect("listed");
        assert_eq!(page.books, all[5..10], "{sort}");
        insert(&*store, Book::clone(last)).await;
    }
}

/// A walk along the cursors while books come and go meets each book that stays, once.
pub async fn a_walk_meets_every_lasting_book_once(store: Arc<dyn Store>) {
    let mut lasting = HashSet::new();
    let mut passing = Vec::new();
    for (number, book) in catalogue().into_iter().enumerate() {
        let book = insert(&*store, book).await;
        if number % 3 == 0 {
            passing.push(book);
        } else {
            lasting.insert(book.id);
        }
    }
    for (_, sort) in Sort::ALL {
        let mut query =
            BookQuery::default().with_sort(sort).with_limit(PageSize::new(9).expect("9"));
        let (mut met, mut churn): (Vec<BookId>, _) = (Vec::new(), passing.iter().cycle());
        loop {
            let page = store.books(&query).await.expect("listed");
            met.extend(page.books.iter().map(|book| book.id));
            let Some(next) = page.next else { break };
            query = query.after_cursor(next);
            for book in churn.by_ref().take(3) {
                store.delete_book(book.id, None).await.expect("deleted");
                insert(&*store, Book::clone(book)).await;
            }
        }
        let once: HashSet<_> = met.iter().copied().collect();
        assert_eq!(once.len(), met.len(), "no book twice, by {sort}");
        assert!(lasting.is_subset(&once), "every lasting book, by {sort}");
    }
}

/// An edit that does not touch what the walk is sorted by moves no book.
pub async fn a_walk_survives_changes_of_other_keys(store: Arc<dyn Store>) {
    let books: Vec<_> = catalogue().into_iter().take(30).collect();
    store.insert_books(books.clone()).await.expect("inserted");
    let mut query = BookQuery::default().with_limit(PageSize::new(4).expect("4"));
    let mut met = Vec::new();
    loop {
        let page = store.books(&query).await.expect("listed");
        met.extend(page.books.iter().map(|book| book.id));
        for (book, title) in books.iter().zip(["A", "B", "C", "D", "E"]) {
            rename(&*store, book, title).await;
        }
        let Some(next) = page.next else { break };
        query = query.after_cursor(next);
    }
    let mut expected: Vec<_> = books.iter().map(|book| (book.created_at, book.id)).collect();
    expected.sort_by(|one, other| other.cmp(one));
    assert_eq!(met, expected.into_iter().map(|(_, id)| id).collect::<Vec<_>>());
}

/// What a query means: the books that match it, in its order.
pub(super) fn defined(books: &[Arc<Book>], query: &BookQuery) -> Vec<Arc<Book>> {
    let Sort { by, direction } = query.sort();
    let mut found: Vec<_> = books.iter().filter(|book| query.matches(book)).cloned().collect();
    found.sort_by_cached_key(|book| (SortKey::of(book, by), book.id));
    if direction == Direction::Descending {
        found.reverse();
    }
    found
}

/// All pages of a query, one after the other; cursors go through their texts.
pub(super) async fn walk(store: &dyn Store, query: &BookQuery) -> (Vec<Arc<Book>>, Vec<Total>) {
    let (mut query, mut books, mut totals) = (query.clone(), Vec::new(), Vec::new());
    loop {
        let page = store.books(&query).await.expect("listed");
        assert!(page.books.len() <= query.limit().get());
        assert!(page.next.is_none() || page.books.len() == query.limit().get());
        books.extend(page.books);
        totals.push(page.total);
        let Some(next) = page.next else {
            return (books, totals);
        };
        let next = Cursor::parse(&next.to_string(), query.sort()).expect("a cursor");
        query = query.after_cursor(next);
    }
}
