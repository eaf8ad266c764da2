//! The binary's flags. How it serves is tested in the `tests` package.

use std::process::{Command, Output};

fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bookhub-server"));
    command.args(args).env_clear().output().expect("the binary starts")
}

#[test]
fn help_names_each_setting_and_exit_code() {
    let help = String::from_utf8(run(&["--help"]).stdout).unwrap();
    for word in
        ["--port", "--config", "--allow-memory", "JWT_SECRET_FILE", "Exit codes", "Examples"]
    {
        assert!(help.contains(word), "{word} is not in:\n{help}");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let version = String::from_utf8(run(&["--version"]).stdout).unwrap();
    assert_eq!(version.trim(), concat!("bookhub-server ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_unknown_flag_is_refused_with_the_one_that_was_meant() {
    let refused = run(&["--prot", "1"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("'--port'"));
}
