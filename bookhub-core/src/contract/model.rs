//! Any list of operations does to a catalogue what it does to a plain list of books.

use std::sync::Arc;

use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::select,
    test_runner::{TestError, TestRunner},
};
use tokio::runtime::Handle;

use super::{
    lists::{defined, walk},
    samples::{all_fed, next},
};
use crate::{
    Author, Book, BookContent, BookDraft, BookPatch, BookQuery, Catalog, CatalogError, ChangeKind,
    Genre, GenreKey, Isbn, LowStock, PageSize, Price, SearchQuery, Sort, Stock, StockAdjustment,
    Store, Title, Year, sort_key,
};

/// A few dozen lists of operations, each on the emptied catalogue.
pub async fn any_list_of_operations_does_what_it_does_to_a_plain_list(store: Arc<dyn Store>) {
    replay_lists(store, 32).await;
}

/// Does so many lists of operations to the catalogue and to a plain list of books, and shortens the
/// first one that does not do the same.
pub async fn replay_lists(store: Arc<dyn Store>, lists: u32) {
    let runtime = Handle::current();
    let replaying = tokio::task::spawn_blocking(move || {
        let config = ProptestConfig {
            cases: lists,
            failure_persistence: None,
            max_shrink_time: 60_000,
            ..ProptestConfig::default()
        };
        let differing = TestRunner::new(config).run(&vec(operation(), 1..60), |operations| {
            runtime.block_on(replay(&store, operations));
            Ok(())
        });
        match differing {
            Err(TestError::Fail(reason, operations)) => panic!("{reason}: {operations:#?}"),
            other => other.expect("replayed"),
        }
    });
    if let Err(failure) = replaying.await {
        std::panic::resume_unwind(failure.into_panic());
    }
}

async fn replay(store: &Arc<dyn Store>, operations: Vec<Operation>) {
    for book in walk(&**store, &BookQuery::default()).await.0 {
        store.delete_book(book.id, None).await.expect("deleted");
    }
    let catalog = Catalog::new(Arc::clone(store));
    let begin = store.head().await.expect("a head");
    let mut feed = store.changes(begin);
    let (mut model, mut heard) = (Model::default(), 0);
    for operation in operations {
        match operation {
            Operation::Create(draft) => model.created(&draft, catalog.create(draft.clone()).await),
            Operation::CreateMany(drafts) => {
                let results = catalog.create_many(drafts.clone()).await.expect("created");
                drafts.iter().zip(results).for_each(|(draft, result)| model.created(draft, result));
            }
            Operation::Update(number, patch, expected) => {
                let Some((place, book)) = model.pick(number) else {
                    continue;
                };
                let result = catalog.update(book.id, &patch, expected).await;
                model.updated(place, &patch, expected, result);
            }
            Operation::Adjust(number, delta) => {
                let Some((place, book)) = model.pick(number) else {
                    continue;
                };
                let adjustment =
                    StockAdjustment { delta, reason: "test".parse().expect("a reason") };
                let result = catalog.adjust_stock(book.id, &adjustment).await;
                match (result, book.stock.moved_by(delta)) {
                    (Ok(adjusted), Some(stock)) => {
                        assert_eq!(adjusted.stock, stock);
                        assert_eq!(adjusted.version, book.version);
                        model.fed.push(ChangeKind::BookUpdated(Arc::clone(&adjusted)));
                        model.books[place] = adjusted;
                    }
                    (Err(CatalogError::StockBelowZero { .. }), None) => {}
                    (result, stock) => panic!("{result:?}, {stock:?}"),
                }
            }
            Operation::Delete(number, expected) => {
                let Some((place, book)) = model.pick(number) else {
                    continue;
                };
                match catalog.delete(book.id, expected).await {
                    Ok(deleted) => {
                        assert_eq!(deleted, book);
                        model.books.swap_remove(place);
                        model.fed.push(ChangeKind::BookDeleted(book.id));
                        assert!(catalog.get(book.id).await.is_err());
                    }
                    Err(CatalogError::VersionConflict { current }) => {
                        assert_eq!(current, book.version);
                        assert_ne!(expected, Some(current));
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            Operation::List(query) => {
                let (books, totals) = walk(&**store, &query).await;
                let expected = defined(&model.books, &query);
                assert!(totals.iter().all(|total| total.count == expected.len() as u64));
                assert_eq!(books, expected, "{query:?}");
            }
            Operation::Genres => {
                let genres = catalog.genres().await.expect("counted");
                let total: u64 = genres.iter().map(|shelf| shelf.count).sum();
                assert_eq!(total, model.books.len() as u64);
                for shelf in genres {
                    let is_on = |book: &&Arc<Book>| {
                        GenreKey::of(&book.content.genre) == GenreKey::of(&shelf.genre)
                    };
                    assert_eq!(model.books.iter().filter(is_on).count() as u64, shelf.count);
                }
            }
            Operation::LowStock(most) => {
                assert_eq!(store.low_stock(most).await.expect("found"), model.low_stock(most));
            }
            Operation::Feed => {
                for kind in &model.fed[heard..] {
                    assert_eq!(next(&mut feed).await.kind, *kind);
                }
                heard = model.fed.len();
            }
        }
    }
    let all = all_fed(&**store, begin).await;
    assert!(all.iter().map(|change| &change.kind).eq(&model.fed), "{all:?}, not {:?}", model.fed);
    for book in model.books {
        assert_eq!(catalog.get(book.id).await.expect("read").0, book);
    }
}

/// Something that somebody does. Books are named by a number that wraps around.
#[derive(Clone, Debug)]
enum Operation {
    Create(BookDraft),
    CreateMany(Vec<BookDraft>),
    Update(usize, BookPatch, Option<u64>),
    Adjust(usize, i64),
    Delete(usize, Option<u64>),
    List(BookQuery),
    Genres,
    LowStock(usize),
    Feed,
}

const WORDS: &[&str] = &["emma", "Émile", "the", "sea", "Seaside", "1984", "9780", "三体", "of'f"];
const GENRES: &[&str] = &["Fiction", "FICTION", "Sci-Fi", "History"];
const YEARS: &[i64] = &[-50, -1, 1, 1899, 1900, 1999, 2000, 2010];

fn text() -> impl Strategy<Value = String> {
    vec(select(WORDS), 1..4).prop_map(|words| words.join(" "))
}

fn isbn() -> impl Strategy<Value = Isbn> {
    let isbns = ["9780547928227", "9780141439587", "9780804429573", "9791034732807"];
    select(isbns.map(|text| text.parse().expect("an ISBN")).to_vec())
}

fn draft() -> impl Strategy<Value = BookDraft> {
    let content = (text(), text(), select(GENRES), select(YEARS), 0..4_u64, option::of(isbn()));
    (content, 0..8_i64).prop_map(|((title, author, genre, year, price, isbn), stock)| {
        let content = BookContent {
            title: Title::new(&title).expect("a title"),
            author: Author::new(&author).expect("an author"),
            genre: Genre::new(genre).expect("a genre"),
            year: Year::new(year).expect("a year"),
            price: Price::from_paise(price * 50).expect("a price"),
            isbn,
            cover_url: None,
            description: None,
        };
        BookDraft { content, stock: Stock::new(stock).expect("a stock") }
    })
}

fn patch() -> impl Strategy<Value = BookPatch> {
    (draft(), any::<[bool; 7]>()).prop_map(|(BookDraft { content, stock }, chosen)| BookPatch {
        title: chosen[0].then_some(content.title),
        author: chosen[1].then_some(content.author),
        genre: chosen[2].then_some(content.genre),
        year: chosen[3].then_some(content.year),
        price: chosen[4].then_some(content.price),
        isbn: chosen[5].then_some(content.isbn),
        stock: chosen[6].then_some(stock),
        ..BookPatch::default()
    })
}

fn query() -> impl Strategy<Value = BookQuery> {
    let search = option::of((text(), 1..8_usize).prop_map(|(text, length)| {
        let text = text.chars().take(length).collect::<String>();
        SearchQuery::parse(&text).expect("a search")
    }));
    let year = || option::of(select(YEARS).prop_map(|year| year as i16));
    let sort = select(Sort::ALL.map(|(_, sort)| sort).to_vec());
    let shape = (select(GENRES), any::<bool>(), 1..6_usize);
    (search, year(), year(), sort, shape).prop_map(|(search, min, max, sort, shape)| {
        let (genre, of_genre, limit) = shape;
        let mut query = BookQuery::default()
            .with_years(min, max)
            .with_sort(sort)
            .with_limit(PageSize::new(limit).expect("a size"));
        if let Some(search) = search {
            query = query.with_search(search);
        }
        if of_genre { query.with_genre(GenreKey::parse(genre)) } else { query }
    })
}

fn operation() -> impl Strategy<Value = Operation> {
    let expected = || option::weighted(0.3, 1..4_u64);
    prop_oneof![
        4 => draft().prop_map(Operation::Create),
        1 => vec(draft(), 0..8).prop_map(Operation::CreateMany),
        3 => (any::<usize>(), patch(), expected())
            .prop_map(|(book, patch, expected)| Operation::Update(book, patch, expected)),
        1 => (any::<usize>(), -3..3_i64).prop_map(|(book, delta)| Operation::Adjust(book, delta)),
        2 => (any::<usize>(), expected())
            .prop_map(|(book, expected)| Operation::Delete(book, expected)),
        3 => query().prop_map(Operation::List),
        1 => Just(Operation::Genres),
        1 => (1..5_usize).prop_map(Operation::LowStock),
        1 => Just(Operation::Feed),
    ]
}

/// The plain list, and what should have been fed.
#[derive(Default)]
struct Model {
    books: Vec<Arc<Book>>,
    fed: Vec<ChangeKind>,
}

impl Model {
    /// Where a book stands, and the book; `None` if there are none.
    fn pick(&self, number: usize) -> Option<(usize, Arc<Book>)> {
        let place = number.checked_rem(self.books.len())?;
        Some((place, Arc::clone(&self.books[place])))
    }

    fn created(&mut self, draft: &BookDraft, result: Result<Arc<Book>, CatalogError>) {
        let holder = draft.content.isbn.and_then(|isbn| self.holder(isbn, None));
        match (result, holder) {
            (Ok(book), None) => {
                assert_eq!((&book.content, book.stock), (&draft.content, draft.stock));
                self.fed.push(ChangeKind::BookCreated(Arc::clone(&book)));
                self.books.push(book);
            }
            (Err(CatalogError::IsbnTaken { book, .. }), Some(holder)) => {
                assert_eq!(book, holder.id)
            }
            (result, holder) => panic!("{result:?}, held by {holder:?}"),
        }
    }

    fn updated(
        &mut self,
        place: usize,
        patch: &BookPatch,
        expected: Option<u64>,
        result: Result<Arc<Book>, CatalogError>,
    ) {
        let old = Arc::clone(&self.books[place]);
        let mut new = Book::clone(&old);
        new.content = patch.applied_to(&old);
        new.version += u64::from(new.content != old.content);
        new.stock = patch.stock.unwrap_or(old.stock);
        new.stock_version += u64::from(new.stock != old.stock);
        let holder = new.content.isbn.and_then(|isbn| self.holder(isbn, Some(&old)));
        match result {
            Err(CatalogError::VersionConflict { current }) => {
                assert_eq!(current, old.version);
                assert!(expected.is_some_and(|expected| expected != current));
            }
            Err(CatalogError::IsbnTaken { book, .. }) => {
                assert_eq!(Some(book), holder.map(|b| b.id))
            }
            Ok(book) => {
                assert!(holder.is_none());
                assert!(expected.is_none_or(|expected| expected == old.version));
                new.updated_at = book.updated_at;
                assert_eq!(*book, new);
                if new != *old {
                    self.fed.push(ChangeKind::BookUpdated(Arc::clone(&book)));
                }
                self.books[place] = book;
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn low_stock(&self, most: usize) -> LowStock {
        let mut books: Vec<_> =
            self.books.iter().filter(|book| book.stock.is_low()).cloned().collect();
        let count = books.len() as u64;
        books.sort_by_key(|book| (book.stock, sort_key(book.content.title.as_str()), book.id));
        books.truncate(most);
        LowStock { books, count }
    }

    fn holder(&self, isbn: Isbn, except: Option<&Book>) -> Option<&Arc<Book>> {
        let others = self.books.iter().filter(|book| except.is_none_or(|own| own.id != book.id));
        others.into_iter().find(|book| book.content.isbn == Some(isbn))
    }
}
