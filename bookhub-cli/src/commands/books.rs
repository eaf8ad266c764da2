//! `bookhub books …`: the catalogue, book by book.

use serde_json::{Map, Value, json};

use super::Shop;
use crate::{
    args::{AddArgs, BooksCommand, Clearable, EditArgs, FieldArgs, GetArgs, ListArgs, RemoveArgs},
    error::{Error, Result},
    input,
    printer::{book_line, one_line},
    shelves::Book,
};

/// The largest page that a server gives.
const LARGEST_PAGE: u64 = 100;
const DEFAULT_LIMIT: u64 = 24;

pub(super) async fn run(shop: &Shop, command: BooksCommand) -> Result<()> {
    let work = async {
        match command {
            BooksCommand::List(args) => list(shop, args).await,
            BooksCommand::Get(args) => get(shop, args).await,
            BooksCommand::Add(args) => add(shop, args).await,
            BooksCommand::Edit(args) => edit(shop, args).await,
            BooksCommand::Rm(args) => remove(shop, args).await,
        }
    };
    shop.interrupt.or(work).await
}

async fn list(shop: &Shop, args: ListArgs) -> Result<()> {
    let limit = if args.all { u64::MAX } else { args.limit.unwrap_or(DEFAULT_LIMIT) };
    let parameters = [
        ("q", args.search),
        ("genre", args.genre),
        ("yearMin", args.year_min.map(|year| year.to_string())),
        ("yearMax", args.year_max.map(|year| year.to_string())),
        ("sort", args.sort),
        ("limit", Some(limit.min(LARGEST_PAGE).to_string())),
    ];
    let parameters: Vec<_> =
        parameters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();

    let mut books = shop.printer.books();
    let (mut next, mut total) = (None, None);
    loop {
        let page = shop.shelves.page(&parameters, next.as_ref()).await;
        let mut page = page.map_err(Error::naming_flags)?;
        total = total.or(page.total);
        let room = limit - books.shown();
        page.books.truncate(usize::try_from(room).unwrap_or(usize::MAX));
        books.page(page.books)?;
        next = page.next.filter(|_| books.shown() < limit);
        if next.is_none() {
            break;
        }
    }
    if let Some((total, exact)) = total.filter(|(total, _)| *total > books.shown() && !args.all) {
        let (shown, least) = (books.shown(), if exact { "" } else { "at least " });
        let sentence = format!("{shown} of {least}{total} books; see more with --limit N or --all");
        shop.printer.note("more", &sentence, json!({ "shown": shown, "total": total }));
    }
    books.end()
}

async fn get(shop: &Shop, args: GetArgs) -> Result<()> {
    shop.printer.book(&shop.shelves.book(&args.id).await?)
}

async fn add(shop: &Shop, args: AddArgs) -> Result<()> {
    let typed = args.fields.json.is_none();
    let fields = fields(shop, args.fields).await?;
    if typed {
        let needed = ["title", "author", "genre", "year", "price"];
        let missing: Vec<_> =
            needed.into_iter().filter(|name| !fields.contains_key(*name)).collect();
        if !missing.is_empty() {
            let flags = missing.join(", --");
            return Err(Error::usage(format!(
                "a new book needs --{flags} (or all as --json FILE)"
            )));
        }
    }
    let added = shop.shelves.create(&fields).await;
    show(shop, "Added", &added.map_err(|error| named(error, typed))?)
}

async fn edit(shop: &Shop, args: EditArgs) -> Result<()> {
    let typed = args.fields.json.is_none();
    let mut fields = fields(shop, args.fields).await?;
    for field in args.clear {
        let name = match field {
            Clearable::Isbn => "isbn",
            Clearable::CoverUrl => "coverUrl",
            Clearable::Description => "description",
        };
        if fields.insert(name.to_owned(), Value::Null).is_some_and(|old| !old.is_null()) {
            return Err(Error::usage(format!("{name} cannot be both set and cleared")));
        }
    }
    if fields.is_empty() {
        return Err(Error::usage("nothing to change: give a field, such as --price 249"));
    }
    let edited = shop.shelves.update(&args.id, &fields, args.if_version).await;
    show(shop, "Changed", &edited.map_err(|error| named(error, typed))?)
}

async fn remove(shop: &Shop, args: RemoveArgs) -> Result<()> {
    if !args.yes && !input::is_terminal() {
        return Err(Error::usage("there is no terminal to ask on: pass --yes to remove unasked"));
    }
    if !args.yes && !is_confirmed(shop, &args.ids).await? {
        return shop
            .printer
            .result("Nothing was removed.", &json!({ "removed": [], "failed": [] }));
    }
    let total = args.ids.len();
    let (mut removed, mut failed, mut end) = (Vec::new(), Vec::new(), Ok(()));
    // A reader that goes away does not stop what was begun, nor hide what became of it.
    let mut printed = Ok(());
    for id in args.ids {
        match shop.shelves.delete(&id).await {
            Ok(()) => {
                let line = shop.printer.line(&format!("Removed {}.", one_line(&id)));
                printed = printed.and(line);
                removed.push(id);
            }
            Err(error) if total == 1 || error.ends_everything() => {
                end = Err(error);
                break;
            }
            Err(error) => {
                let data = json!({ "id": id });
                shop.printer.warning(error.code(), &format!("{id}: {error}"), data);
                failed.push(id);
            }
        }
    }
    if end.is_ok() || !removed.is_empty() {
        let report = shop.printer.json(&json!({ "removed": removed, "failed": failed }));
        printed = printed.and(report);
    }
    let outcome = match failed.len() {
        0 => end,
        failed => end.and(Err(Error::Partly { failed, total, what: "removals" })),
    };
    outcome.and(printed)
}

/// Names what would go, and asks.
async fn is_confirmed(shop: &Shop, ids: &[String]) -> Result<bool> {
    let mut question = String::new();
    for id in ids {
        let book = shop.shelves.book(id).await?;
        question.push_str(&format!("  {}\n", book_line(&book.view)));
    }
    let what = if ids.len() == 1 { "this book" } else { "these books" };
    question.push_str(&format!("Remove {what} from {}? [y/N] ", shop.shelves.name()));
    let answer = input::ask(&question, &shop.printer, &shop.interrupt).await?;
    Ok(matches!(answer.to_lowercase().as_str(), "y" | "yes"))
}

/// The fields as the API takes them, from flags or from JSON.
async fn fields(shop: &Shop, args: FieldArgs) -> Result<Map<String, Value>> {
    if let Some(source) = args.json {
        let bytes = source.read(&shop.interrupt).await?;
        return serde_json::from_slice(&bytes).map_err(|error| {
            Error::usage(format!("{} holds no JSON object: {error}", source.name()))
        });
    }
    let text = |text: Option<String>| text.map(Value::String);
    let number = |number: Option<serde_json::Number>| number.map(Value::Number);
    let fields = [
        ("title", text(args.title)),
        ("author", text(args.author)),
        ("genre", text(args.genre)),
        ("year", number(args.year)),
        ("price", number(args.price)),
        ("stock", number(args.stock)),
        ("isbn", text(args.isbn)),
        ("coverUrl", text(args.cover_url)),
        ("description", text(args.description)),
    ];
    let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Ok(given.collect())
}

/// Fields that were typed have flags; those of a JSON file have only their own names.
fn named(error: Error, typed: bool) -> Error {
    if typed { error.naming_flags() } else { error }
}

fn show(shop: &Shop, done: &str, book: &Book) -> Result<()> {
    let view = &book.view;
    let sentence = format!(
        "{done} {} (id {}, version {}).",
        book_line(view),
        one_line(&view.id),
        view.version
    );
    shop.printer.result(&sentence, &book.json)
}
