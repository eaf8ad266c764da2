//! The binaries under test, built if they are not.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
};

use tokio::io::AsyncWriteExt as _;

/// The path of a binary of this workspace, in the same profile as the test that asks.
///
/// # Panics
/// If it cannot be built.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    static BUILDING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = BUILDING.lock();
    let exe = env::current_exe().expect("a test knows where it is");
    let mut folder = exe.parent().expect("a test stands in a folder");
    if folder.ends_with("deps") {
        folder = folder.parent().expect("deps stands in a folder");
    }
    let path = folder.join(name);
    // `cargo test --workspace` has built it; a test of this package alone has not.
    if !path.exists() {
        build(name, folder);
    }
    path
}

fn build(name: &str, folder: &Path) {
    let profile = match folder.file_name().and_then(OsStr::to_str) {
        Some("debug") | None => "test",
        Some(profile) => profile,
    };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--profile", profile, "--bin", name, "--workspace"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .status();
    assert!(built.is_ok_and(|status| status.success()), "{name} does not build");
}

/// A program that has ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

/// Runs the command line against a server to its end.
///
/// # Panics
/// If it cannot be started.
pub async fn run_cli(url: &str, home: &Path, args: &[&str], input: &str) -> Finished {
    run(&["--server", url], home, args, input).await
}

/// Runs the command line straight on a database to its end.
///
/// # Panics
/// If it cannot be started.
pub async fn run_cli_on_database(uri: &str, home: &Path, args: &[&str], input: &str) -> Finished {
    run(&["--mongodb-uri", uri], home, args, input).await
}

async fn run(shop: &[&str], home: &Path, args: &[&str], input: &str) -> Finished {
    let mut child = tokio::process::Command::new(program("bookhub"))
        .args(shop)
        .args(args)
        .env_remove("BOOKHUB_TOKEN")
        .env("BOOKHUB_CONFIG_DIR", home)
        .env("LOGNAME", "asha")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the command line starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    // A program that reads no input may have closed it.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = child.wait_with_output().await.expect("the command line ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is UTF-8");
    Finished {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}
