//! The follower, under `kill -9` of itself and of its server.

use std::{fs, io::Write as _, path::Path, process::Stdio};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    process::Command,
    sync::watch,
    time::timeout,
};

use crate::{
    PATIENCE,
    program::{Program, Server, text},
    until,
};

const FOLLOW: &str = env!("CARGO_BIN_EXE_follow");
const SERVER: &str = env!("CARGO_BIN_EXE_embed-axum");

/// An address that stays, before servers that come and go.
async fn front(server: watch::Receiver<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    tokio::spawn(async move {
        while let Ok((mut inbound, _)) = listener.accept().await {
            let server = server.borrow().clone();
            tokio::spawn(async move {
                if let Ok(mut outbound) = TcpStream::connect(server).await {
                    let _ = copy_bidirectional(&mut inbound, &mut outbound).await;
                }
            });
        }
    });
    address
}

/// The whole lines of the file.
fn lines(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_inclusive('\n')
        .filter_map(|line| line.strip_suffix('\n'))
        .map(str::to_owned)
        .collect()
}

/// The headlines in the file, as numbers.
fn headlines(lines: &[String]) -> Vec<u64> {
    let data = lines.iter().filter_map(|line| line.split_once(" news headline "));
    data.map(|(_, data)| data.trim_matches('"').parse().expect("a number")).collect()
}

async fn publish(server: &Server, numbers: std::ops::Range<u64>) {
    for number in numbers {
        text(server.post("/news").body(number.to_string())).await;
    }
}

#[tokio::test]
async fn nothing_is_lost_or_repeated_when_the_follower_or_its_server_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("followed.log");
    let mut server = Server::start(SERVER).await;
    let (place, places) = watch::channel(server.address.clone());
    let url = format!("ws://{}/ws", front(places).await);
    let start = || Program::start(FOLLOW, &[&url, file.to_str().unwrap(), "news"]);
    let mut follower = start();
    until("the follower knows where it is", async || !lines(&file).is_empty()).await;

    // Killed while events come, sooner and later, and once with half a line written.
    let mut published = 0;
    for round in 0..8 {
        let target = published + 50;
        let killing = async {
            let some = usize::try_from(published).unwrap() + 5 * round;
            until("some events", async || headlines(&lines(&file)).len() >= some).await;
            follower.kill().await;
        };
        tokio::join!(publish(&server, published..target), killing);
        published = target;
        if round == 3 {
            let mut torn = fs::File::options().append(true).open(&file).unwrap();
            torn.write_all(b"0123456789abcdef-25 news headl").unwrap();
        }
        follower = start();
    }
    publish(&server, published..published + 10).await;
    published += 10;
    let all = usize::try_from(published).unwrap();
    until("all events", async || headlines(&lines(&file)).len() >= all).await;
    assert_eq!(headlines(&lines(&file)), (0..published).collect::<Vec<_>>());
    assert!(!lines(&file).iter().any(|line| line.contains("missed")), "all of it in one epoch");

    // A server in memory begins anew after a restart, and that is told.
    server.program.kill().await;
    server = Server::start(SERVER).await;
    place.send_replace(server.address.clone());
    let told = "missed: epoch_changed";
    let is_told = async || lines(&file).iter().any(|line| line.contains("missed"));
    until("the follower is told", is_told).await;
    publish(&server, 1000..1010).await;
    until("ten more", async || headlines(&lines(&file)).len() >= all + 10).await;
    let seen = lines(&file);
    let expected: Vec<_> = (0..published).chain(1000..1010).collect();
    assert_eq!(headlines(&seen), expected);
    let (at, missed) =
        seen.iter().enumerate().find(|(_, line)| line.contains("missed")).expect("told");
    assert!(missed.contains("token_invalid") || missed.contains(told), "{missed}");
    assert_eq!(headlines(&seen[..at]).len(), all, "told before the first event that follows");

    follower.kill().await;
}

#[tokio::test]
async fn a_file_is_followed_into_by_one_process_and_by_what_it_knows() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("followed.log");
    let path = file.to_str().unwrap();
    let server = Server::start(SERVER).await;
    let url = format!("ws://{}/ws", server.address);
    let _first = Program::start(FOLLOW, &[&url, path, "news"]);
    until("the first follows", async || !lines(&file).is_empty()).await;
    let refused = async |path: &str| {
        let mut second = Command::new(FOLLOW);
        second.args([&*url, path]).stderr(Stdio::piped()).kill_on_drop(true);
        let output = timeout(PATIENCE, second.output()).await.expect("it ends").unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(path).await.contains("another process"));

    let foreign = folder.path().join("shopping.txt");
    fs::write(&foreign, "milk\neggs").unwrap();
    assert!(refused(foreign.to_str().unwrap()).await.contains("not written here: milk"));
    assert_eq!(fs::read_to_string(&foreign).unwrap(), "milk\neggs", "left as it was");
}
