//! Logging in and out: where the token is kept, and when it is shown.

use serde_json::{Value, json};

use crate::support::{Answer, Machine, Server, book, nobody};

fn shop() -> Server {
    Server::start(|request| match request.line.as_str() {
        "POST /api/auth/login" if request.body["password"] == "right" => {
            let user = json!({ "id": "u", "username": request.body["username"], "role": "admin" });
            Answer::ok(json!({ "token": "t-1", "user": user }))
        }
        "POST /api/auth/login" => {
            Answer::refusal(401, "wrong_credentials", "The user name or the password is wrong.")
        }
        "POST /api/auth/logout" => Answer(204, Vec::new(), Value::Null),
        _ => Answer::ok(book("b", "Emma")),
    })
}

fn log_in(machine: &Machine, server: &Server) {
    let args = ["--server", &server.url, "login", "--user", "alice", "--password-stdin"];
    let run = machine.run_with_input(&args, "right\n");
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.stdout, format!("Logged in to {} as alice.\n", server.url));
}

#[test]
fn a_token_is_kept_for_its_server_and_its_owner_only() {
    let (machine, server, other) = (Machine::new(), shop(), shop());
    log_in(&machine, &server);
    #[cfg(unix)]
    for (path, mode) in [("config/credentials.json", 0o600), ("config", 0o700)] {
        use std::os::unix::fs::PermissionsExt as _;
        let kept = std::fs::metadata(machine.path().join(path)).unwrap().permissions().mode();
        assert_eq!(kept & 0o777, mode, "{path}");
    }
    for (server, token) in [(&server, Some("Bearer t-1")), (&other, None)] {
        machine.run(&["books", "get", "b", "--server", &server.url]);
        let request = server.requests().pop().unwrap();
        assert_eq!(request.header("authorization"), token);
    }
}

#[test]
fn the_environment_goes_before_the_stored_token() {
    let (machine, server) = (Machine::new(), shop());
    log_in(&machine, &server);
    let with_token = |token: &str| {
        let mut command = machine.command(&["books", "get", "b", "--server", &server.url]);
        command.env("BOOKHUB_TOKEN", token).output().unwrap().status.code()
    };
    assert_eq!(with_token("t-2"), Some(0));
    let request = server.requests().pop().unwrap();
    assert_eq!(request.header("authorization"), Some("Bearer t-2"));
    assert_eq!(with_token("two words"), Some(2));
}

#[test]
fn a_wrong_password_exits_with_3_and_keeps_nothing() {
    let (machine, server) = (Machine::new(), shop());
    let args = ["--server", &server.url, "login", "--user", "alice", "--password-stdin"];
    let run = machine.run_with_input(&args, "wrong\n");
    assert_eq!(run.code, 3);
    assert!(run.stderr.contains("hint: check the user name and the password"), "{run:?}");
    assert!(!machine.path().join("config").exists());
    assert_eq!(machine.run_with_input(&args, "").code, 2);
}

#[test]
fn the_token_is_never_printed() {
    let (machine, server) = (Machine::new(), shop());
    let args =
        ["-o", "json", "--server", &server.url, "login", "--user", "alice", "--password-stdin"];
    let run = machine.run_with_input(&args, "right");
    let json: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(json["user"]["role"], "admin");
    assert!(!format!("{run:?}").contains("t-1"));
}

#[test]
fn logging_out_kills_the_token_on_both_sides() {
    let (machine, server) = (Machine::new(), shop());
    log_in(&machine, &server);
    assert_eq!(machine.run(&["logout", "--server", &server.url]).code, 0);
    let request = server.requests().pop().unwrap();
    assert_eq!(request.line, "POST /api/auth/logout");
    assert_eq!(request.header("authorization"), Some("Bearer t-1"));
    machine.run(&["books", "get", "b", "--server", &server.url]);
    assert_eq!(server.requests().pop().unwrap().header("authorization"), None);

    let run = machine.run(&["logout", "--server", &server.url]);
    assert_eq!(run.code, 0);
    assert!(run.stdout.contains("You are not logged in"), "{run:?}");
}

#[test]
fn a_token_is_forgotten_even_if_the_server_cannot_be_told() {
    let (machine, server) = (Machine::new(), nobody());
    let kept = json!({ "servers": { &server: { "username": "a", "token": "t" } } });
    std::fs::create_dir(machine.path().join("config")).unwrap();
    let file = machine.file("config/credentials.json", &kept.to_string());
    let run = machine.run(&["logout", "--server", &server]);
    assert_eq!(run.code, 6);
    assert!(run.stderr.contains("stays valid until it expires"), "{run:?}");
    assert!(!std::fs::read_to_string(file).unwrap().contains("token"));
}

#[test]
fn a_damaged_file_of_logins_is_named() {
    let (machine, server) = (Machine::new(), shop());
    std::fs::create_dir(machine.path().join("config")).unwrap();
    machine.file("config/credentials.json", "{");
    let run = machine.run(&["books", "list", "--server", &server.url]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("credentials.json") && run.stderr.contains("log in again"));
}
