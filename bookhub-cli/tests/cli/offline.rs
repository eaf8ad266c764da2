//! What happens without a server: wrong flags, nobody to ask, nobody to reach.

use crate::support::{Machine, nobody};

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[test]
fn wrong_flags_are_explained_and_exit_with_2() {
    let machine = Machine::new();
    for (args, said) in [
        (&["books", "lst"][..], "list"),
        (&["books", "list", "--serch", "x"], "--search"),
        (&["books", "list", "--limit", "0"], "--limit"),
        (&["books", "list", "--limit", "-1"], "--limit"),
        (&["books", "list", "--limit", "3", "--all"], "--all"),
        (&["books", "list", "--sort", "pric"], "price"),
        (&["books", "list", "--year-min", "soon"], "--year-min"),
        (&["books", "add", "--title", "Emma", "--price", "1"], "--author, --genre, --year"),
        (&["books", "add", "--price", "much"], "such as 1815 or 899.50"),
        (&["books", "add", "--json", "x.json", "--title", "x"], "--json"),
        (&["books", "add", "--json", "missing.json"], "cannot read missing.json"),
        (&["books", "edit", ID], "nothing to change"),
        (&["books", "edit", ID, "--isbn", "1", "--clear", "isbn"], "both set and cleared"),
        (&["books", "edit", ID, "--clear", "title"], "description"),
        (&["books", "get", ""], "<ID>"),
        (&["seed", "--file", "missing.csv"], "cannot read missing.csv"),
        (&["watch", "--since", "yesterday"], "--since"),
        (&["watch", "--topic", "a b"], "--topic"),
        (&["watch", "--count", "0"], "--count"),
        (&["login", "--password", "secret"], "--password-stdin"),
        (&["--server", "localhost:5000", "books", "list"], "http://"),
        (&["--server", "http://a:b@localhost", "books", "list"], "must not hold a password"),
        (&["--timeout", "soon", "books", "list"], "--timeout"),
        (&["--output", "xml", "books", "list"], "ndjson"),
    ] {
        let run = machine.run(args);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{args:?}: {run:?}");
        assert!(run.stderr.contains(said), "{args:?}: {run:?}");
    }
}

#[test]
fn programs_get_their_errors_as_json() {
    let machine = Machine::new();
    let server = nobody();
    for (args, code, exit) in [
        (&["books", "lst", "--output", "json"][..], "usage", 2),
        (&["-o", "ndjson", "books", "rm", ID], "usage", 2),
        (&["-o", "json", "--server", &server, "books", "get", ID], "unreachable", 6),
    ] {
        let run = machine.run(args);
        let error = run.error();
        assert_eq!((run.code, &error["exit"]), (exit, &exit.into()), "{error}");
        assert_eq!(error["code"], code);
        assert!(error["error"].as_str().is_some_and(|text| !text.starts_with("error")), "{error}");
    }
}

#[test]
fn a_server_that_is_not_there_exits_with_6_and_says_what_to_do() {
    let machine = Machine::new();
    let server = nobody();
    for args in [
        &["books", "list"][..],
        &["books", "rm", "--yes", ID, ID],
        &["seed"],
        &["seed", "--dry-run"],
        &["watch"],
    ] {
        let run = machine.run(&[&["--server", &server], args].concat());
        assert_eq!(run.code, 6, "{run:?}");
        assert!(run.stderr.contains(&format!("cannot reach {server}")), "{run:?}");
        assert!(run.stderr.contains("Start it with bookhub-server"), "{run:?}");
        assert!(run.stderr.contains("--server"), "{run:?}");
    }
    let run = machine.run_with_input(
        &["--server", &server, "login", "--user", "a", "--password-stdin"],
        "secret\n",
    );
    assert_eq!(run.code, 6, "{run:?}");
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let run = Machine::new().run(&["--server", &server, "--timeout", "200ms", "books", "list"]);
    assert_eq!(run.code, 6);
    assert!(run.stderr.contains("no answer within 0.2 s (--timeout)"), "{run:?}");
}

#[test]
fn nothing_is_asked_without_a_terminal() {
    let machine = Machine::new();
    let run = machine.run(&["books", "rm", ID]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("pass --yes"), "{run:?}");
    let run = machine.run(&["login"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("--user NAME --password-stdin"), "{run:?}");
}

#[test]
fn help_has_examples_exit_codes_and_the_environment() {
    let machine = Machine::new();
    let run = machine.run(&["--help"]);
    assert_eq!(run.code, 0);
    for said in [
        "6    the server or the database cannot be reached",
        "Which shop:",
        "BOOKHUB_TOKEN",
        "MONGODB_URI_FILE",
        "NO_COLOR",
        "Examples:",
    ] {
        assert!(run.stdout.contains(said), "{said}");
    }
    for command in [
        &["login"][..],
        &["logout"],
        &["seed"],
        &["watch"],
        &["books", "list"],
        &["books", "get"],
        &["books", "add"],
        &["books", "edit"],
        &["books", "rm"],
    ] {
        for flag in ["-h", "--help"] {
            let run = machine.run(&[command, &[flag]].concat());
            assert_eq!(run.code, 0);
            assert!(run.stdout.contains("Examples:\n  "), "{command:?}");
        }
    }
}

#[test]
fn the_readme_lists_the_exit_codes_of_the_help() {
    let readme = include_str!("../../README.md");
    let help = Machine::new().run(&["--help"]).stdout;
    let codes = help.lines().skip_while(|line| *line != "Exit codes:").skip(1);
    let codes: Vec<_> = codes.take_while(|line| !line.is_empty()).collect();
    assert_eq!(codes.len(), 8);
    for line in codes {
        let (code, meaning) = line.trim().split_once(' ').unwrap();
        let row = format!("| {code} | {} |", meaning.trim());
        assert!(readme.contains(&row), "{row}");
    }
}
