//! The catalogue book by book: what is sent, what is shown, how refusals end.

use serde_json::{Value, json};

use crate::support::{Answer, Machine, Server, book};

#[test]
fn filters_become_parameters() {
    let server = Server::always(|| Answer::ok(json!([])));
    let run = Machine::new().run(&[
        "books",
        "list",
        "--server",
        &server.url,
        "--search",
        "jane & co",
        "--genre",
        "Classics",
        "--year-min",
        "-800",
        "--year-max",
        "1900",
        "--sort",
        "-price",
        "--limit",
        "7",
    ]);
    assert_eq!((run.code, run.stdout.as_str()), (0, "No books.\n"), "{run:?}");
    let parameters = "q=jane+%26+co&genre=Classics&yearMin=-800&yearMax=1900&sort=-price&limit=7";
    assert_eq!(server.lines(), [format!("GET /api/books?{parameters}")]);
}

/// Three pages of two books.
fn pages() -> Server {
    Server::start(|request| {
        let (titles, next) = match request.line.split("cursor=").nth(1) {
            None => (["One", "Two"], Some(1)),
            Some("1") => (["Three", "A longer title"], Some(2)),
            Some(_) => (["Five", "Six"], None),
        };
        let mut headers = vec![("x-total-count", "6".to_owned())];
        if let Some(next) = next {
            headers.push(("link", format!("</api/books?limit=100&cursor={next}>; rel=\"next\"")));
        }
        let books = titles.map(|title| book(&format!("{title:->20}"), title));
        Answer(200, headers, json!(books))
    })
}

#[test]
fn all_pages_are_followed_and_stand_below_each_other() {
    let server = pages();
    let run = Machine::new().run(&["books", "list", "--all", "--server", &server.url]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(server.requests().len(), 3);
    let lines: Vec<_> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 7);
    assert_eq!(lines[0].split_whitespace().last(), Some("Stock"));
    for line in &lines[1..] {
        assert!(line.contains("Jane Austen  Classics  1815  ₹1,29,999.50"), "{line}");
    }
    let column = |line: &str| line.find("Jane");
    assert_eq!(column(lines[1]), column(lines[6]));
}

#[test]
fn json_is_one_document_and_ndjson_a_line_a_book() {
    let (machine, server) = (Machine::new(), pages());
    let args = ["books", "list", "--all", "--server", &server.url, "--output"];
    let run = machine.run(&[&args[..], &["json"]].concat());
    let books: Vec<Value> = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(books.len(), 6);
    assert_eq!(books[3], book("------A longer title", "A longer title"));
    let run = machine.run(&[&args[..], &["ndjson"]].concat());
    let lines: Vec<Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, books);

    let empty = Server::always(|| Answer::ok(json!([])));
    let run = machine.run(&["books", "list", "--server", &empty.url, "-o", "json"]);
    assert_eq!(run.stdout, "[]\n");
}

#[test]
fn a_limit_ends_amid_a_page_and_says_that_there_is_more() {
    let (machine, server) = (Machine::new(), pages());
    let args = ["books", "list", "--limit", "3", "--server", &server.url];
    let run = machine.run(&args);
    assert_eq!((run.stdout.lines().count(), server.requests().len()), (4, 2));
    assert!(run.stderr.contains("3 of 6 books"), "{run:?}");
    assert_eq!(machine.run(&[&args[..], &["--quiet"]].concat()).stderr, "");
}

#[test]
fn a_next_page_on_another_server_is_not_fetched() {
    let server = Server::always(|| {
        let link = "<http://127.0.0.2:9/api/books>; rel=\"next\"".to_owned();
        Answer(200, vec![("link", link)], json!([book("b", "Emma")]))
    });
    let run = Machine::new().run(&["books", "list", "--all", "--server", &server.url]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("127.0.0.2"), "{run:?}");
}

#[test]
fn a_book_is_shown_whole_or_as_the_server_sent_it() {
    let server = Server::always(|| Answer::ok(book("b-1", "Em\u{1b}[31mma")));
    let machine = Machine::new();
    let run = machine.run(&["books", "get", "b/../1", "--server", &server.url]);
    assert_eq!(server.lines(), ["GET /api/books/b%2F..%2F1"]);
    for line in ["Title    Em [31mma", "Price    ₹1,29,999.50", "Version  3"] {
        assert!(run.stdout.contains(line), "{run:?}");
    }
    let run = machine.run(&["books", "get", "b", "--server", &server.url, "-o", "json"]);
    let shown: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(shown, book("b-1", "Em\u{1b}[31mma"));
}

#[test]
fn flags_become_fields() {
    let server = Server::always(|| Answer(201, Vec::new(), book("b", "Emma")));
    let machine = Machine::new();
    let run = machine.run(&[
        "books",
        "add",
        "--server",
        &server.url,
        "--title",
        "Emma",
        "--author",
        "Jane Austen",
        "--genre",
        "Classics",
        "--year",
        "-1",
        "--price",
        "899.50",
        "--stock",
        "3",
        "--cover-url",
        "https://c/1.png",
        "--isbn",
        "x",
        "--description",
        "d",
    ]);
    assert_eq!(run.code, 0, "{run:?}");
    let said = "Added “Emma” by Jane Austen, ₹1,29,999.50, stock 4 (id b, version 3).\n";
    assert_eq!(run.stdout, said);
    let request = server.requests().pop().unwrap();
    assert_eq!(request.line, "POST /api/books");
    let fields = json!({
        "title": "Emma", "author": "Jane Austen", "genre": "Classics", "year": -1, "price": 899.5,
        "stock": 3, "coverUrl": "https://c/1.png", "isbn": "x", "description": "d",
    });
    assert_eq!(request.body, fields);

    let file = machine.file("book.json", &fields.to_string());
    machine.run(&["books", "add", "--server", &server.url, "--json", &file]);
    assert_eq!(server.requests().pop().unwrap().body, fields);
    let args = ["books", "add", "--server", &server.url, "--json", "-"];
    machine.run_with_input(&args, r#"{"title":"x"}"#);
    assert_eq!(server.requests().pop().unwrap().body, json!({ "title": "x" }));
    assert_eq!(machine.run_with_input(&args, "[1]").code, 2);
}

#[test]
fn an_edit_sends_what_changes_and_guards_the_version() {
    let server = Server::always(|| Answer::ok(book("b", "Emma")));
    let args = [
        "books",
        "edit",
        "b",
        "--server",
        &server.url,
        "--price",
        "249",
        "--clear",
        "isbn",
        "--clear",
        "cover-url",
        "--if-version",
        "3",
    ];
    assert_eq!(Machine::new().run(&args).code, 0);
    let request = server.requests().pop().unwrap();
    assert_eq!(request.line, "PATCH /api/books/b");
    assert_eq!(request.header("if-match"), Some("\"3\""));
    assert_eq!(request.body, json!({ "price": 249, "isbn": null, "coverUrl": null }));
}

#[test]
fn each_refusal_has_its_exit_code_and_a_way_out() {
    let machine = Machine::new();
    for (status, code, exit, hint) in [
        (400, "invalid", 1, None),
        (401, "login_required", 3, Some("bookhub login --server http://127.0.0.1")),
        (401, "session_ended", 3, Some("bookhub login --server http://127.0.0.1")),
        (403, "admin_required", 3, Some("administrator")),
        (404, "not_found", 4, Some("bookhub books list")),
        (409, "isbn_taken", 5, Some("--search ISBN")),
        (412, "version_conflict", 5, Some("bookhub books get")),
        (429, "too_many", 1, Some("try again in 7 s")),
        (500, "internal", 1, Some("request r-1")),
    ] {
        let server = Server::always(move || {
            let Answer(status, mut headers, body) = Answer::refusal(status, code, "Not so.");
            headers.push(("retry-after", "7".to_owned()));
            Answer(status, headers, body)
        });
        let args = ["books", "edit", "b", "--price", "1", "--server", &server.url];
        let run = machine.run(&args);
        assert_eq!((run.code, run.stdout.as_str()), (exit, ""), "{run:?}");
        let found = run.stderr.lines().find_map(|line| line.strip_prefix("hint: "));
        assert_eq!(found.is_some(), hint.is_some(), "{run:?}");
        assert!(found.unwrap_or_default().contains(hint.unwrap_or_default()), "{run:?}");
        let error = machine.run(&[&args[..], &["-o", "json"]].concat()).error();
        assert_eq!((&error["code"], &error["status"]), (&code.into(), &status.into()));
    }
}

#[test]
fn a_token_of_the_environment_that_is_refused_is_named() {
    let server = Server::always(|| Answer::refusal(401, "session_ended", "Log in again."));
    let machine = Machine::new();
    let mut command = machine.command(&["books", "get", "b", "--server", &server.url]);
    let output = command.env("BOOKHUB_TOKEN", "old").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("BOOKHUB_TOKEN is set"));
}

#[test]
fn wrong_fields_are_named_as_they_were_given() {
    let machine = Machine::new();
    let answer = || Answer::invalid(&[("price", "Too low."), ("coverUrl", "No URL.")]);
    let server = Server::always(answer);
    let edit = ["books", "edit", "b", "--server", &server.url];
    let run = machine.run(&[&edit[..], &["--price", "-1", "--cover-url", "x"]].concat());
    assert_eq!(run.code, 1);
    let lines: Vec<_> = run.stderr.lines().collect();
    assert_eq!(
        lines,
        ["error: Invalid book data", "  --price: Too low.", "  --cover-url: No URL."]
    );
    let args = [&edit[..], &["--json", "-", "-o", "json"]].concat();
    let error = machine.run_with_input(&args, "{\"price\":-1}").error();
    assert_eq!(error["details"][0], json!({ "field": "price", "message": "Too low." }));
}

#[test]
fn what_is_no_bookhub_server_is_said_to_be_none() {
    let machine = Machine::new();
    for (answer, said) in [
        (Answer(403, Vec::new(), json!("AirTunes")), "does not answer as a BookHub server"),
        (Answer(200, Vec::new(), json!({ "hello": 1 })), "does not answer as a BookHub server"),
        (
            Answer(301, vec![("location", "https://shop.example/".to_owned())], json!(null)),
            "--server https://shop.example/",
        ),
    ] {
        let answer = std::sync::Mutex::new(Some(answer));
        let server = Server::always(move || answer.lock().unwrap().take().unwrap());
        let run = machine.run(&["books", "list", "--server", &server.url]);
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.stderr.contains(said) && run.stderr.contains("hint: "), "{run:?}");
    }
}

#[test]
fn several_books_are_removed_and_each_is_accounted_for() {
    let machine = Machine::new();
    let server = Server::start(|request| match request.line.as_str() {
        "DELETE /api/books/gone" => Answer::refusal(404, "not_found", "Book not found"),
        _ => Answer::ok(json!({ "success": true })),
    });
    let remove = ["books", "rm", "--yes", "--server", &server.url];
    let run = machine.run(&[&remove[..], &["a", "gone", "b"]].concat());
    assert_eq!((run.code, run.stdout.as_str()), (1, "Removed a.\nRemoved b.\n"), "{run:?}");
    assert!(run.stderr.contains("gone: Book not found"), "{run:?}");
    assert!(run.stderr.contains("1 of 3 removals failed"), "{run:?}");

    let run = machine.run(&[&remove[..], &["a", "gone", "-o", "json"]].concat());
    let json: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(json, json!({ "removed": ["a"], "failed": ["gone"] }));
    assert_eq!(machine.run(&[&remove[..], &["gone"]].concat()).code, 4);
    assert_eq!(machine.run(&[&remove[..], &["a"]].concat()).code, 0);
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_stops_no_removal_and_hides_no_failure() {
    let machine = Machine::new();
    let server = Server::start(|request| match request.line.as_str() {
        "DELETE /api/books/gone" => Answer::refusal(404, "not_found", "Book not found"),
        _ => Answer::ok(json!({ "success": true })),
    });
    let remove = ["books", "rm", "--yes", "--server", &server.url];
    let run = machine.run_unread(&[&remove[..], &["a", "gone", "b"]].concat());
    assert_eq!((run.code, server.requests().len()), (1, 3), "{run:?}");
    assert!(run.stderr.contains("1 of 3 removals failed"), "{run:?}");
    assert_eq!(machine.run_unread(&[&remove[..], &["a", "b"]].concat()).code, 0);
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn without_permission_nothing_more_is_tried() {
    let server = Server::always(|| Answer::refusal(403, "admin_required", "Only for admins"));
    let run = Machine::new().run(&["books", "rm", "--yes", "--server", &server.url, "a", "b"]);
    assert_eq!((run.code, server.requests().len()), (3, 1));
}
