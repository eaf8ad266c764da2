//! What is asked of the catalogue, and how often.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use bookhub_core::{
    Book, BookPatch, BookQuery, Catalog, Cursor, GenreKey, Price, SearchQuery, Sort,
    StockAdjustment,
};
use futures_util::FutureExt;

use crate::{
    measure::Times,
    synthetic::{GENRES, Library, Random, title_word},
};

const RUNS: usize = 2000;

/// Takes the answer of a future that never waits, as those of the store in memory do.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("an answer at once")
}

/// A catalogue to ask.
pub(crate) struct Bench {
    catalog: Catalog,
    library: Library,
    /// Books from everywhere in the catalogue, to ask for.
    sample: Vec<Arc<Book>>,
}

impl Bench {
    /// Asks for the books of `catalog`, and puts more of `library` into it.
    pub(crate) fn new(catalog: Catalog, library: Library) -> Self {
        let (mut random, mut sample) = (Random(7), Vec::new());
        let by_title: Sort = "title".parse().expect("a sort");
        let mut query = BookQuery::default().with_sort(by_title);
        let count = now(catalog.list(&query)).expect("listed").total.count as usize;
        let stride = (count / 5000).max(1) * 24;
        // Walks the whole catalogue once and keeps a few books of each page.
        loop {
            let page = now(catalog.list(&query)).expect("listed");
            let chosen = page.books.iter().filter(|_| random.below(stride) < 24);
            sample.extend(chosen.cloned());
            let Some(next) = page.next else { break };
            query = query.after_cursor(next);
        }
        Self { catalog, library, sample }
    }

    fn book(&self, number: usize) -> &Arc<Book> {
        &self.sample[number * 7919 % self.sample.len()]
    }

    /// Times queries that `ask` makes for the number of the run.
    fn list(&self, ask: impl Fn(usize) -> BookQuery) -> String {
        let queries: Vec<_> = (0..RUNS + RUNS / 10).map(ask).collect();
        let times = Times::of(RUNS, |run| {
            now(self.catalog.list(&queries[run])).expect("listed");
        });
        times.cell()
    }

    pub(crate) fn pages(&self) -> Vec<(&'static str, String)> {
        let sort = |run: usize| Sort::ALL[run % 10].1;
        let deep = |query: BookQuery, run: usize| {
            query.after_cursor(Cursor::behind(self.book(run), sort(run)))
        };
        let filtered = |run: usize| {
            let min = 1950 + (run % 70) as i16;
            BookQuery::default()
                .with_genre(GenreKey::parse(GENRES[run * 7 % GENRES.len()]))
                .with_years(Some(min), Some(min + 1 + (run % 30) as i16))
                .with_sort(sort(run))
        };
        vec![
            ("first page, any sort", self.list(|run| BookQuery::default().with_sort(sort(run)))),
            ("page at any depth, any sort", self.list(|run| deep(BookQuery::default(), run))),
            ("genre and years, first page, any sort", self.list(filtered)),
            ("genre and years, any depth, any sort", self.list(|run| deep(filtered(run), run))),
            (
                "years only, any depth, any sort",
                self.list(|run| deep(BookQuery::default().with_years(Some(1800), None), run)),
            ),
        ]
    }

    pub(crate) fn searches(&self) -> Vec<(&'static str, String)> {
        let word = |run: usize, place: usize| {
            let book = self.book(run);
            let text = format!("{} {}", book.content.title, book.content.author);
            let words: Vec<_> = text.split(' ').map(str::to_owned).collect();
            words[place.min(words.len() - 1)].clone()
        };
        let last = |run: usize| word(run, usize::MAX);
        let start = |word: String, length: usize| word.chars().take(length).collect::<String>();
        let ask = |text: String, run: usize| {
            let search = SearchQuery::parse(&text).expect("a search");
            let sort = if run.is_multiple_of(2) { Sort::NEWEST } else { Sort::ALL[run / 2 % 10].1 };
            BookQuery::default().with_search(search).with_sort(sort)
        };
        let frequent: Vec<_> = (0..8).map(title_word).collect();
        vec![
            ("search: one word of a book", self.list(|run| ask(word(run, 0), run))),
            (
                "search: two words of a book",
                self.list(|run| ask(format!("{} {}", word(run, 0), last(run)), run)),
            ),
            (
                "search: two frequent words",
                self.list(|run| {
                    ask(format!("{} {}", frequent[run % 8], frequent[run / 8 % 8]), run)
                }),
            ),
            (
                "search: frequent and rare",
                self.list(|run| ask(format!("{} {}", frequent[run % 8], last(run)), run)),
            ),
            ("search: one letter", self.list(|run| ask(start(word(run, 0), 1), run))),
            (
                "search: word and one letter",
                self.list(|run| ask(format!("{} {}", word(run, 0), start(last(run), 1)), run)),
            ),
            ("search: four letters", self.list(|run| ask(start(last(run), 4), run))),
            (
                "search: word and four letters",
                self.list(|run| ask(format!("{} {}", word(run, 0), start(last(run), 4)), run)),
            ),
            (
                "search: an ISBN being typed",
                self.list(|run| {
                    let isbn = self.book(run).content.isbn;
                    let isbn = isbn.map_or_else(|| "978".to_owned(), |isbn| isbn.to_string());
                    ask(start(isbn, 3 + run % 11), run)
                }),
            ),
            (
                "search, genre and years together",
                self.list(|run| {
                    let query = ask(format!("{} {}", frequent[run % 8], start(last(run), 2)), run);
                    let genre = GenreKey::parse(GENRES[run * 7 % GENRES.len()]);
                    query.with_genre(genre).with_years(Some(1900), Some(2010))
                }),
            ),
        ]
    }

    /// What the reader of a two-word search sees while somebody writes as fast as possible.
    pub(crate) fn reads_beside_a_writer(&self) -> Vec<(&'static str, String)> {
        let (stop, writes) = (AtomicBool::new(false), AtomicU64::new(0));
        let start = Instant::now();
        let (cell, rate) = thread::scope(|scope| {
            scope.spawn(|| {
                for run in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    self.edit(run);
                    writes.fetch_add(1, Ordering::Relaxed);
                }
            });
            let cell = self.list(|run| {
                let words = format!("{} {}", title_word(run % 8), title_word(run / 8 % 8));
                BookQuery::default().with_search(SearchQuery::parse(&words).expect("a search"))
            });
            let rate = writes.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
            stop.store(true, Ordering::Relaxed);
            (cell, rate)
        });
        vec![
            ("two-word search beside a busy writer", cell),
            ("writes per second of that writer", format!("{rate:.0}")),
        ]
    }

    /// Gives a book another title, price and year.
    fn edit(&self, run: usize) {
        let round = run / self.sample.len();
        let (book, other) = (self.book(run), self.book(run + round + 1));
        let patch = BookPatch {
            title: Some(other.content.title.clone()),
            price: Price::from_paise(run as u64 % 100_000).ok(),
            year: Some(other.content.year),
            ..BookPatch::default()
        };
        now(self.catalog.update(book.id, &patch, None)).expect("updated");
    }

    pub(crate) fn writes(mut self) -> Vec<(&'static str, String)> {
        let get = Times::of(RUNS, |run| {
            now(self.catalog.get(self.book(run).id)).expect("a book");
        });
        let one = StockAdjustment { delta: 1, reason: "delivery".parse().expect("a reason") };
        let sell = Times::of(RUNS, |run| {
            now(self.catalog.adjust_stock(self.book(run).id, &one)).expect("moved");
        });
        let edit = Times::of(RUNS, |run| self.edit(run + 50_001));
        let drafts: Vec<_> = (0..RUNS + RUNS / 10).map(|_| self.library.draft()).collect();
        let mut created = Vec::new();
        let create = Times::of(RUNS, |run| {
            created.push(now(self.catalog.create(drafts[run].clone())).expect("created").id);
        });
        let delete = Times::of(RUNS, |run| {
            now(self.catalog.delete(created[run], None)).expect("deleted");
        });
        vec![
            ("get", get.cell()),
            ("move stock", sell.cell()),
            ("update (title, price, year)", edit.cell()),
            ("create", create.cell()),
            ("delete", delete.cell()),
        ]
    }
}
