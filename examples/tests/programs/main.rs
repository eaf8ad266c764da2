//! The examples as their readers use them: each is started, used over real sockets, and ended.

mod chat;
mod embed;
mod follow;
mod jwt;
mod page;
mod private_topics;
mod program;
mod socket;
mod ticker;

use std::{fs, path::Path, time::Duration};

/// A deadline that only something that hangs can miss.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let came = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(came.is_ok(), "in vain: {what}");
}

#[test]
fn every_example_is_listed_and_says_how_to_run_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = fs::read_to_string(folder.join("../bookhub-realtime/README.md")).unwrap();
    let mut examples = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "rs") {
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(table.contains(&format!("`examples/{name}.rs`")), "the README lacks {name}");
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.starts_with("//! How "), "{name} begins with its question");
            let command = format!("-p bookhub-examples --bin {}", name.replace('_', "-"));
            assert!(text.contains(&command), "{name} does not say how to run it");
            examples += 1;
        }
    }
    assert_eq!(examples, 8);
}
