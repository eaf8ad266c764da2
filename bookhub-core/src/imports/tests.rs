use std::sync::Arc;

use super::{undo::Journal, *};
use crate::{Book, BookDraft, BookPatch, BookQuery, CatalogError, MemoryStore, Sort};

const HEADER: &str = "title,author,genre,year,price,isbn,stock\n";
const ISBNS: [&str; 3] = ["9780306406157", "9780547928227", "9780439023481"];

fn catalog() -> Catalog {
    Catalog::new(MemoryStore::shared())
}

fn row(title: &str, isbn: &str) -> String {
    format!("{title},A,G,2000,1,{isbn},5\n")
}

async fn create(catalog: &Catalog, title: &str, isbn: &str) -> Arc<Book> {
    let json = serde_json::json!({
        "title": title, "author": "A", "genre": "G", "year": 2000, "price": 1, "isbn": isbn,
    });
    let draft = BookDraft::from_json(json.as_object().unwrap()).unwrap();
    catalog.create(draft).await.unwrap()
}

fn options(existing: Existing) -> ImportOptions {
    ImportOptions { existing, ..ImportOptions::default() }
}

async fn import(
    catalog: &Catalog,
    file: &str,
    options: ImportOptions,
) -> Result<ImportReport, ImportError> {
    begin(catalog, file, options).await.finish().await
}

async fn begin(catalog: &Catalog, file: &str, options: ImportOptions) -> Import {
    let mut import = Import::new(catalog.clone(), RowFormat::Csv, options);
    for piece in file.as_bytes().chunks(50) {
        import.read(piece).await.unwrap();
    }
    import
}

async fn titles(catalog: &Catalog) -> Vec<String> {
    let query = BookQuery::default().with_sort("title".parse::<Sort>().unwrap());
    let books = catalog.list(&query).await.unwrap().books;
    books.iter().map(|book| book.content.title.to_string()).collect()
}

fn counts(report: &ImportReport) -> [u64; 4] {
    [report.created, report.updated, report.skipped, report.failed]
}

/// A new book, one whose ISBN is there, the first one again, one that is wrong, one without ISBN.
fn file() -> String {
    let [new, there, _] = ISBNS;
    let rows =
        [row("New", new), row("There", there), row("Again", new), row("", ""), row("Plain", "")];
    format!("{HEADER}{}", rows.concat())
}

#[tokio::test]
async fn rows_whose_isbn_is_there_are_wrong_or_skipped_or_change_the_book() {
    for (existing, expected, shown) in [
        (Existing::Error, [2, 0, 0, 3], ["New", "Old", "Plain"]),
        (Existing::Skip, [2, 0, 2, 1], ["New", "Old", "Plain"]),
        (Existing::Update, [2, 2, 0, 1], ["Again", "Plain", "There"]),
    ] {
        let catalog = catalog();
        create(&catalog, "Old", ISBNS[1]).await;
        let dry = ImportOptions { dry_run: true, ..options(existing) };
        let foreseen = import(&catalog, &file(), dry).await.unwrap();
        assert_eq!(titles(&catalog).await, ["Old"]);
        let report = import(&catalog, &file(), options(existing)).await.unwrap();
        assert_eq!(counts(&report), expected, "{existing:?}");
        assert_eq!(counts(&foreseen), expected, "a dry run says what comes");
        let rows =
            |report: &ImportReport| report.errors.iter().map(|error| error.row).collect::<Vec<_>>();
        assert_eq!(rows(&foreseen), rows(&report));
        assert_eq!(titles(&catalog).await, shown);
        assert!(foreseen.dry_run && !report.dry_run);
    }
}

#[tokio::test]
async fn a_row_that_changes_a_book_needs_no_more_than_what_it_changes() {
    let catalog = catalog();
    let old = create(&catalog, "Old", ISBNS[1]).await;
    let file = format!("isbn,price\n{},9.5\n{},1\n", ISBNS[1], ISBNS[0]);
    let report = import(&catalog, &file, options(Existing::Update)).await.unwrap();
    assert_eq!(counts(&report), [0, 1, 0, 1], "{report:?}");
    let (new, _) = catalog.get(old.id).await.unwrap();
    assert_eq!((new.content.title.as_str(), new.content.price.paise()), ("Old", 950));
    let missing: Vec<_> =
        report.errors[0].problem.details.iter().map(|detail| &*detail.field).collect();
    assert_eq!(missing, ["title", "author", "genre", "year"]);
    let mut of_new_books = Import::new(catalog, RowFormat::Csv, options(Existing::Skip));
    assert_eq!(of_new_books.read(file.as_bytes()).await.unwrap_err().code(), "invalid");
}

#[tokio::test]
async fn a_report_has_a_hundred_errors_and_says_if_there_are_more() {
    for (rows, is_truncated) in [(100, false), (1100, true)] {
        let file = format!("{HEADER}{}", row("", "").repeat(rows));
        let report = import(&catalog(), &file, ImportOptions::default()).await.unwrap();
        assert_eq!((report.failed, report.errors.len()), (rows as u64, 100));
        assert_eq!((report.truncated, report.errors[99].row), (is_truncated, 101));
    }
}

#[tokio::test]
async fn all_or_nothing_is_nothing_if_a_row_is_wrong() {
    let atomic = ImportOptions { atomic: true, ..ImportOptions::default() };
    let catalog = catalog();
    create(&catalog, "Old", ISBNS[1]).await;
    let rejected = import(&catalog, &file(), atomic).await.unwrap_err();
    assert_eq!(rejected.code(), "import_rejected");
    assert_eq!(counts(rejected.report().unwrap()), [0, 0, 0, 3]);
    assert_eq!(titles(&catalog).await, ["Old"]);
    let cut_off = begin(&catalog, &file(), atomic).await.cut_off();
    assert_eq!((cut_off.code(), counts(cut_off.report().unwrap())[0]), ("body_incomplete", 0));

    let good = format!("{HEADER}{}{}", row("New", ISBNS[0]), row("Plain", ""));
    assert_eq!(counts(&import(&catalog, &good, atomic).await.unwrap()), [2, 0, 0, 0]);
    assert_eq!(titles(&catalog).await, ["New", "Old", "Plain"]);
}

#[tokio::test]
async fn an_isbn_that_somebody_takes_meanwhile_has_all_taken_back() {
    let atomic = ImportOptions { atomic: true, ..ImportOptions::default() };
    let catalog = catalog();
    let many: String = (0..700).map(|number| row(&format!("Book {number}"), "")).collect();
    // The first batch has been looked at by the time that it is taken.
    let file = format!("{HEADER}{}{many}", row("Mine", ISBNS[0]));
    let import = begin(&catalog, &file, atomic).await;
    create(&catalog, "Theirs", ISBNS[0]).await;
    let undone = import.finish().await.unwrap_err();
    assert_eq!(undone.code(), "import_undone");
    assert_eq!(undone.report().unwrap().errors[0].problem.code, "isbn_taken");
    assert_eq!(
        (counts(undone.report().unwrap()), undone.report().unwrap().errors[0].row),
        ([0, 0, 0, 1], 2)
    );
    assert_eq!(titles(&catalog).await, ["Theirs"]);
}

#[tokio::test]
async fn changes_are_taken_back_too() {
    let atomic = ImportOptions { atomic: true, ..options(Existing::Update) };
    let catalog = catalog();
    let old = create(&catalog, "Old", ISBNS[0]).await;
    let gone = create(&catalog, "Gone", ISBNS[1]).await;
    // The third row tells of the book of the first: so the first two have been looked at by then.
    let file = format!(
        "isbn,title,stock\n{0},Changed,9\n{1},Gone too,9\n{0},Again,9\n",
        ISBNS[0], ISBNS[1]
    );
    let import = begin(&catalog, &file, atomic).await;
    catalog.delete(gone.id, None).await.unwrap();
    let undone = import.finish().await.unwrap_err();
    assert_eq!(undone.code(), "import_undone");
    let (now, _) = catalog.get(old.id).await.unwrap();
    assert_eq!((&now.content, now.stock), (&old.content, old.stock));
}

#[tokio::test]
async fn a_book_that_was_made_and_changed_is_taken_back() {
    let atomic = ImportOptions { atomic: true, ..options(Existing::Update) };
    let catalog = catalog();
    let gone = create(&catalog, "Gone", ISBNS[1]).await;
    let file = format!(
        "isbn,title,author,genre,year,price\n{0},New,A,G,2000,1\n{0},Newer,A,G,2000,1\n\
         {1},Gone too,,,,\n{0},Newest,A,G,2000,1\n",
        ISBNS[0], ISBNS[1]
    );
    let import = begin(&catalog, &file, atomic).await;
    catalog.delete(gone.id, None).await.unwrap();
    let undone = import.finish().await.unwrap_err();
    assert_eq!(undone.code(), "import_undone", "{undone}");
    assert!(titles(&catalog).await.is_empty());
}

#[tokio::test]
async fn what_others_have_edited_meanwhile_is_left() {
    let catalog = catalog();
    let mut journal = Journal::default();
    let mut books = Vec::new();
    for (number, isbn) in ["080442957X"].iter().chain(&ISBNS).enumerate() {
        books.push(create(&catalog, &format!("Book {number}"), isbn).await);
    }
    let retitled = BookPatch { title: "Another".parse().ok(), ..BookPatch::default() };
    journal.creates([books[0].id, books[1].id].into_iter());
    for book in &books[2..] {
        journal.updates(Arc::clone(book), &retitled);
        catalog.update(book.id, &retitled, None).await.unwrap();
    }
    let theirs = BookPatch { price: "7".parse().ok(), ..BookPatch::default() };
    for book in [&books[1], &books[3]] {
        catalog.update(book.id, &theirs, None).await.unwrap();
    }
    let mut left = journal.undo(&catalog).await;
    left.sort_unstable();
    assert_eq!(left, [books[1].id, books[3].id]);
    assert!(matches!(catalog.get(books[0].id).await, Err(CatalogError::NotFound(_))));
    assert_eq!(catalog.get(books[2].id).await.unwrap().0.content, books[2].content);
    assert_eq!(titles(&catalog).await, ["Another", "Book 1", "Book 2"]);
}

#[tokio::test]
async fn what_is_kept_to_go_in_at_once_is_bounded() {
    let atomic = ImportOptions { atomic: true, ..ImportOptions::default() };
    let mut import = Import::new(catalog(), RowFormat::Ndjson, atomic);
    let lines = "[]\n".repeat(50_000);
    for _ in 0..2 {
        import.read(lines.as_bytes()).await.unwrap();
    }
    assert_eq!(import.read(b"[]\n").await.unwrap_err().code(), "import_too_large");

    let mut import = Import::new(catalog(), RowFormat::Ndjson, atomic);
    let blank = vec![b'\n'; 32 << 20];
    for _ in 0..2 {
        import.read(&blank).await.unwrap();
    }
    assert_eq!(import.read(b"\n").await.unwrap_err().code(), "import_too_large");
}
