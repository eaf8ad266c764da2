//! Which shop is meant where a database may be: flags, the environment, and what is said without one
//! that answers.

use serde_json::json;

use crate::support::{Answer, Machine, Run, Server, nobody};

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const PASSWORD: &str = "s3cret";

/// A connection string with a password, of a database that is not there.
fn gone() -> String {
    nobody().replace("http://", &format!("mongodb://shop:{PASSWORD}@")) + "/shop"
}

fn run(machine: &Machine, args: &[&str], environment: &[(&str, &str)]) -> Run {
    let mut command = machine.command(args);
    let run = Run::of(&command.envs(environment.iter().copied()).output().unwrap());
    assert!(!format!("{run:?}").contains(PASSWORD), "{run:?}");
    run
}

#[test]
fn a_database_that_is_not_there_exits_with_6_in_time_and_without_its_password() {
    let (machine, uri) = (Machine::new(), gone());
    for args in [
        &["books", "list"][..],
        &["books", "get", ID],
        &["books", "edit", ID, "--price", "1"],
        &["books", "rm", "--yes", ID, ID],
        &["seed"],
        &["seed", "--dry-run"],
    ] {
        let begun = std::time::Instant::now();
        let run =
            run(&machine, &[&["--mongodb-uri", &uri, "--timeout", "300ms"], args].concat(), &[]);
        assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
        assert_eq!(run.code, 6, "{run:?}");
        let place = uri.split(['@', '/']).nth(3).unwrap();
        let said = format!("error: The database cannot be reached: {place} was tried for 0.3 s");
        assert!(run.stderr.starts_with(&said) && run.stderr.lines().count() == 1, "{run:?}");
        assert!(run.stderr.contains("onnection refused"), "{run:?}");
    }
    let args = ["-o", "json", "books", "list", "--mongodb-uri", &uri, "--timeout", "300ms"];
    let error = run(&machine, &args, &[]).error();
    assert_eq!((&error["code"], &error["exit"]), (&json!("database_unavailable"), &json!(6)));
}

#[test]
fn a_connection_string_that_cannot_be_used_exits_with_2_and_is_not_repeated() {
    let machine = Machine::new();
    for uri in
        [format!("mongodb://shop:{PASSWORD}/x@host/shop"), PASSWORD.to_owned(), String::new()]
    {
        for (args, environment) in [
            (&["books", "list", "--mongodb-uri", &uri][..], &[][..]),
            (&["books", "get", ID], &[("MONGODB_URI", uri.as_str())][..]),
        ] {
            if uri.is_empty() && !environment.is_empty() {
                continue;
            }
            let run = run(&machine, args, environment);
            assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run:?}");
            assert!(run.stderr.contains("mongodb+srv://…"), "{run:?}");
            assert!(run.stderr.contains("hint: ") && run.stderr.contains("MONGODB_URI"), "{run:?}");
        }
    }
}

#[test]
fn a_connection_string_at_the_wrong_place_is_not_repeated_either() {
    let (machine, uri) = (Machine::new(), gone());
    for args in [
        &[&*uri, "books", "list"][..],
        &["books", "list", &uri],
        &["--mongodb-url", &uri, "books", "list"],
        &["--server", &uri, "books", "list"],
        &["-o", "json", "books", "list", &uri],
    ] {
        assert_eq!(run(&machine, args, &[]).code, 2);
    }
}

#[test]
fn one_shop_is_meant_or_none() {
    let (machine, uri, server) = (Machine::new(), gone(), nobody());
    for args in [
        &["--server", &server, "--mongodb-uri", &uri, "books", "list"][..],
        &["--server", &server, "books", "list", "--mongodb-uri", &uri],
    ] {
        let run = run(&machine, args, &[]);
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.stderr.contains("--server and --mongodb-uri"), "{run:?}");
    }
    let both = [("BOOKHUB_SERVER", &*server), ("MONGODB_URI", &*uri)];
    let refused = run(&machine, &["books", "list"], &both);
    assert_eq!(refused.code, 2, "{refused:?}");
    for said in ["BOOKHUB_SERVER and MONGODB_URI", "--server URL", "--mongodb-uri URI", "unset"] {
        assert!(refused.stderr.contains(said), "{refused:?}");
    }
}

#[test]
fn a_flag_goes_before_the_environment() {
    let (machine, uri) = (Machine::new(), gone());
    let server = Server::always(|| Answer::ok(json!([])));
    let both = [("BOOKHUB_SERVER", &*server.url), ("MONGODB_URI", &*uri)];
    let list = ["books", "list", "--timeout", "300ms"];
    let asked = run(&machine, &[&list[..], &["--server", &server.url]].concat(), &both);
    assert_eq!((asked.code, server.requests().len()), (0, 1), "{asked:?}");
    let unreached = run(&machine, &[&list[..], &["--mongodb-uri", &uri]].concat(), &both);
    assert_eq!((unreached.code, server.requests().len()), (6, 1), "{unreached:?}");
}

#[test]
fn the_environment_may_name_a_database_or_a_file_with_it() {
    let (machine, uri) = (Machine::new(), gone());
    let list = ["books", "list", "--timeout", "300ms"];
    assert_eq!(run(&machine, &list, &[("MONGODB_URI", &uri)]).code, 6);
    let file = machine.file("uri", &format!("{uri}\n"));
    let by_file = run(&machine, &list, &[("MONGODB_URI_FILE", &file), ("MONGODB_URI", "x")]);
    assert_eq!(by_file.code, 6, "{by_file:?}");
    let missing = run(&machine, &list, &[("MONGODB_URI_FILE", "/no/such/file")]);
    assert_eq!(missing.code, 2);
    assert!(missing.stderr.contains("/no/such/file, which MONGODB_URI_FILE names"), "{missing:?}");
    // What is set to nothing is not set.
    let server = nobody();
    let empty = [("MONGODB_URI", ""), ("MONGODB_URI_FILE", ""), ("BOOKHUB_SERVER", &*server)];
    let unreached = run(&machine, &list, &empty);
    assert!(unreached.stderr.contains(&format!("cannot reach {server}")), "{unreached:?}");
}

#[test]
fn logins_and_watching_need_a_server_and_are_not_led_astray_by_the_environment() {
    let (machine, uri, server) = (Machine::new(), gone(), nobody());
    for command in ["login", "logout", "watch"] {
        let refused = run(&machine, &["--mongodb-uri", &uri, command], &[]);
        assert_eq!(refused.code, 2, "{refused:?}");
        let said = format!("error: `bookhub {command}` needs a server");
        assert!(refused.stderr.starts_with(&said), "{refused:?}");
        assert!(refused.stderr.contains("--server URL"), "{refused:?}");
        assert_eq!(refused.stderr.lines().count(), 1);
    }
    let both = [("BOOKHUB_SERVER", &*server), ("MONGODB_URI", &*uri)];
    let watch = run(&machine, &["watch"], &both);
    assert!(watch.code == 6 && watch.stderr.contains(&server), "{watch:?}");
    assert_eq!(run(&machine, &["logout"], &both).code, 0);
}

#[test]
fn what_is_wrong_with_flags_is_said_before_a_database_is_asked() {
    let (machine, uri) = (Machine::new(), gone());
    for (args, said) in [
        (&["books", "add", "--title", "Emma"][..], "--author, --genre, --year, --price"),
        (&["books", "edit", ID], "nothing to change"),
        (&["books", "rm", ID], "pass --yes"),
        (&["seed", "--file", "missing.csv"], "cannot read missing.csv"),
    ] {
        let run = run(&machine, &[&["--mongodb-uri", &uri], args].concat(), &[]);
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.stderr.contains(said), "{run:?}");
    }
}
