//! A running server, and an admin who is logged in to it.

use std::{
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{PATIENCE, Socket, program};

/// How much of what a server logs is kept.
const LOG_BYTES: usize = 64 << 20;

/// A server of its own for one test, on a port that the system picks; it ends with the test.
#[derive(Debug)]
pub struct Server {
    /// Where it is.
    pub url: String,
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Starts one with the sample catalogue.
    ///
    /// # Errors
    /// If it does not come up.
    pub async fn start() -> Result<Self> {
        Self::with(&[], &[]).await
    }

    /// Starts one without books.
    ///
    /// # Errors
    /// If it does not come up.
    pub async fn empty() -> Result<Self> {
        Self::with(&["--sample-catalogue", "false"], &[]).await
    }

    /// Starts one with these flags and variables.
    ///
    /// # Errors
    /// If it does not come up.
    pub async fn with(args: &[&str], environment: &[(&str, &str)]) -> Result<Self> {
        let mut child = Self::command(args, environment).spawn()?;
        let stderr = child.stderr.take().context("stderr is piped")?;
        let mut lines = BufReader::new(stderr).lines();
        let mut before = String::new();
        let url = timeout(PATIENCE, async {
            while let Some(line) = lines.next_line().await? {
                before.push_str(&line);
                before.push('\n');
                if let Some((_, address)) = line.split_once("open at ") {
                    let end = address.find(['"', ' ', '\u{1b}']).unwrap_or(address.len());
                    return Ok(address[..end].to_owned());
                }
            }
            bail!("the server ended before it was open")
        })
        .await??;
        // What it logs from now on is read, so that it never waits for us.
        let log = Arc::new(Mutex::new(before));
        let kept = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let mut log = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if log.len() < LOG_BYTES {
                    log.push_str(&line);
                    log.push('\n');
                }
            }
        });
        Ok(Self { url, child, log })
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The command, for tests that look at how it ends.
    #[must_use]
    pub fn command(args: &[&str], environment: &[(&str, &str)]) -> Command {
        let mut command = Command::new(program("bookhub-server"));
        command
            .args(args)
            .env_clear()
            .env("PORT", "0")
            .env("NO_COLOR", "1")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// An admin who is logged in.
    ///
    /// # Errors
    /// If the development admin cannot log in.
    pub async fn admin(&self) -> Result<Person> {
        self.login("login", &json!({ "username": "admin", "password": "admin123" })).await
    }

    /// A new user of this name, who is logged in.
    ///
    /// # Errors
    /// If the name is taken.
    pub async fn user(&self, name: &str) -> Result<Person> {
        let account = json!({ "username": name, "password": "a long way to say hello" });
        self.login("signup", &account).await
    }

    /// The same user, logged in once more.
    ///
    /// # Errors
    /// If there is no such user.
    pub async fn again(&self, name: &str) -> Result<Person> {
        let account = json!({ "username": name, "password": "a long way to say hello" });
        self.login("login", &account).await
    }

    async fn login(&self, way: &str, account: &Value) -> Result<Person> {
        // The server closes a connection that was idle for ten seconds: a request that is sent into
        // that moment would be lost, so connections are not kept that long.
        let http = reqwest::Client::builder().pool_idle_timeout(Duration::from_secs(5)).build()?;
        let answer = http.post(format!("{}/api/auth/{way}", self.url)).json(account).send().await?;
        let body: Value = answer.error_for_status()?.json().await?;
        let token = body["token"].as_str().context("a login answers a token")?.to_owned();
        Ok(Person { url: self.url.clone(), http, token })
    }

    /// The id of its process, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// A raw WebSocket without a subprotocol, after its welcome.
    ///
    /// # Errors
    /// If it is not welcomed.
    pub async fn socket(&self) -> Result<Socket> {
        let mut socket = Socket::open(&self.url, false).await?;
        let welcome = socket.next().await?;
        anyhow::ensure!(welcome["event"] == "connection:success", "no welcome: {welcome}");
        Ok(socket)
    }

    /// Asks the server to stop, as a service manager would, and answers its exit code.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn terminate(mut self) -> Result<Option<i32>> {
        let id = self.child.id().context("the server runs")?.to_string();
        Command::new("kill").args(["-TERM", &id]).status().await?;
        Ok(timeout(PATIENCE, self.child.wait()).await??.code())
    }

    /// Kills the server with no warning.
    ///
    /// # Errors
    /// If that fails.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}

/// Somebody's way to the API, who is logged in.
#[derive(Debug, Clone)]
pub struct Person {
    url: String,
    http: reqwest::Client,
    /// The login token.
    pub token: String,
}

impl Person {
    /// The same login at another server.
    #[must_use]
    pub fn at(&self, server: &Server) -> Self {
        Self { url: server.url.clone(), ..self.clone() }
    }

    /// Sends a request with a JSON body, or without one for `null`.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Result<Response> {
        let request = self.request(method, path);
        let request = if body.is_null() { request } else { request.json(body) };
        Ok(request.send().await?)
    }

    /// A request to go on with.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    /// The JSON at a path.
    ///
    /// # Errors
    /// If it is not answered with 200.
    pub async fn get(&self, path: &str) -> Result<Value> {
        let answer = self.send(Method::GET, path, &Value::Null).await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Creates a book with this title and answers it.
    ///
    /// # Errors
    /// If it is not created.
    pub async fn create(&self, title: &str) -> Result<Value> {
        let book = book(title);
        let answer = self.send(Method::POST, "/api/books", &book).await?;
        anyhow::ensure!(answer.status() == StatusCode::CREATED, "{}", answer.text().await?);
        Ok(answer.json().await?)
    }

    /// Changes fields of a book and answers it.
    ///
    /// # Errors
    /// If it is not changed.
    pub async fn patch(&self, id: &str, fields: &Value) -> Result<Value> {
        let answer = self.send(Method::PATCH, &format!("/api/books/{id}"), fields).await?;
        anyhow::ensure!(answer.status() == StatusCode::OK, "{}", answer.text().await?);
        Ok(answer.json().await?)
    }

    /// Deletes a book.
    ///
    /// # Errors
    /// If it is not deleted.
    pub async fn delete(&self, id: &str) -> Result<()> {
        let answer = self.send(Method::DELETE, &format!("/api/books/{id}"), &Value::Null).await?;
        anyhow::ensure!(answer.status() == StatusCode::OK, "{}", answer.text().await?);
        Ok(())
    }
}

fn book(title: &str) -> Value {
    json!({ "title": title, "author": "Ada Writer", "genre": "Tests", "year": 2020, "price": 250, "stock": 7 })
}
