//! Many books at once, each accounted for.

use std::{process::Stdio, thread, time::Duration};

use serde_json::{Value, json};

use crate::support::{Answer, Machine, Run, Server, book, interrupt};

const FILE: &str = "\
title,author,genre,year,price,isbn
New,A,G,2000,1,9780306406157
There,A,G,2000,1,9780547928227
Bad,A,G,0,1,
";

/// A shop that has one of the books.
fn shop() -> Server {
    Server::start(|request| {
        if request.line.starts_with("GET ") {
            let mut there = book("b", "There");
            there["isbn"] = json!("9780547928227");
            let asked = request.line.contains("9780547928227");
            return Answer::ok(if asked { json!([there]) } else { json!([]) });
        }
        match request.body["title"].as_str() {
            Some("There") => Answer::refusal(409, "isbn_taken", "Another book has the ISBN."),
            Some("Bad") => Answer::invalid(&[("year", "Must not be 0.")]),
            _ => Answer(201, Vec::new(), book("n", "New")),
        }
    })
}

#[test]
fn a_file_is_put_in_and_every_row_accounted_for() {
    let (machine, server) = (Machine::new(), shop());
    let file = machine.file("books.csv", FILE);
    let run = machine.run(&["seed", "--file", &file, "--server", &server.url]);
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(
        run.stdout,
        "line 4, “Bad”: year: Must not be 0.\n\
         1 created, 1 skipped (there already), 1 failed.\n"
    );
    assert_eq!(run.stderr, "error: 1 of 3 books failed\n");
    let fields = json!({
        "title": "New", "author": "A", "genre": "G", "year": 2000, "price": 1,
        "isbn": "9780306406157",
    });
    assert_eq!(server.requests()[0].body, fields);
}

#[cfg(unix)]
#[test]
fn what_failed_counts_though_nobody_reads_the_report() {
    let (machine, server) = (Machine::new(), shop());
    let file = machine.file("books.csv", FILE);
    let run = machine.run_unread(&["seed", "--file", &file, "--server", &server.url]);
    assert_eq!((run.code, run.stderr.as_str()), (1, "error: 1 of 3 books failed\n"));
}

#[test]
fn a_dry_run_foresees_the_same_and_changes_nothing() {
    let (machine, server) = (Machine::new(), shop());
    let args = ["seed", "--file", "-", "--dry-run", "-o", "json", "--server", &server.url];
    let run = machine.run_with_input(&args, FILE);
    assert_eq!(run.code, 1, "{run:?}");
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["dryRun"], true);
    for kind in ["created", "skipped", "failed"] {
        assert_eq!(report[kind], 1, "{report}");
    }
    assert_eq!(
        (&report["failures"][0]["line"], &report["failures"][0]["title"]),
        (&json!(4), &json!("Bad"))
    );
    assert_eq!(report["failures"][0]["details"][0]["field"], "year");
    assert!(server.lines().iter().all(|line| line.starts_with("GET ")));
}

#[test]
fn the_sample_catalogue_needs_no_file() {
    let server = Server::always(|| Answer::refusal(409, "isbn_taken", "There."));
    let run = Machine::new().run(&["seed", "--server", &server.url]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stdout.starts_with("0 created, ") && server.requests().len() >= 500, "{run:?}");
    assert_eq!(run.stderr, "", "no progress bar without a terminal");
}

#[test]
fn a_shop_that_says_no_ends_it_with_a_report() {
    let (machine, file) = (Machine::new(), FILE);
    let server = Server::start(|request| match request.body["title"].as_str() {
        Some("New") => Answer(201, Vec::new(), book("n", "New")),
        _ => Answer::refusal(401, "session_ended", "Log in again."),
    });
    let run = machine.run_with_input(&["seed", "-f", "-", "--server", &server.url], file);
    assert_eq!((run.code, server.requests().len()), (3, 2));
    assert_eq!(run.stdout, "1 created, 0 skipped (there already), 0 failed.\n");
    assert!(run.stderr.contains("bookhub login"), "{run:?}");
}

#[test]
fn a_broken_file_is_refused_before_anything_is_sent() {
    let (machine, server) = (Machine::new(), shop());
    let args = ["seed", "--file", "-", "--server", &server.url];
    for input in ["", "title,author\n", "title,author,genre,year,price\na,b\n"] {
        let run = machine.run_with_input(&args, input);
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.stderr.contains("standard input cannot be used"), "{run:?}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[cfg(unix)]
#[test]
fn ctrl_c_waits_for_what_was_sent_and_reports() {
    let server = Server::always(|| {
        thread::sleep(Duration::from_millis(200));
        Answer(201, Vec::new(), book("n", "New"))
    });
    let machine = Machine::new();
    let mut command = machine.command(&["seed", "--server", &server.url]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while server.requests().len() < 2 {
        thread::sleep(Duration::from_millis(10));
    }
    interrupt(&child);
    let run = Run::of(&child.wait_with_output().unwrap());
    let sent = server.requests().len();
    assert_eq!(run.stdout, format!("{sent} created, 0 skipped (there already), 0 failed.\n"));
    assert_eq!((run.code, run.stderr.as_str()), (130, "error: interrupted\n"));
}
