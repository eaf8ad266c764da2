//! The HTTP API as functions: one call a function, typed answers, typed errors. Must not know who
//! asks, or how answers are shown.

mod answer;
mod book;

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, header, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use url::Url;

pub(crate) use self::book::{Book, BookView};
use crate::{
    credentials::Token,
    error::{Error, Result},
    server::ServerUrl,
};

/// A server, and who speaks to it.
#[derive(Debug)]
pub(crate) struct Api {
    http: reqwest::Client,
    server: ServerUrl,
    timeout: Duration,
    token: Option<Token>,
}

/// One page of books.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) books: Vec<Book>,
    /// How many there are on all pages, and whether that is exact.
    pub(crate) total: Option<(u64, bool)>,
    pub(crate) next: Option<Url>,
}

/// Who has logged in.
#[derive(Debug, Deserialize)]
pub(crate) struct LoggedIn {
    #[serde(deserialize_with = "secret")]
    pub(crate) token: SecretString,
    pub(crate) user: User,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) username: String,
    #[serde(default)]
    pub(crate) role: String,
}

fn secret<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

impl Api {
    /// Nothing is sent yet. Redirects are not followed: a token is for one server.
    pub(crate) fn new(server: ServerUrl, timeout: Duration, token: Option<Token>) -> Result<Self> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("bookhub/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .timeout(timeout);
        if server.is_local() {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| Error::local("set up HTTP", error))?;
        Ok(Self { http, server, timeout, token })
    }

    /// This server, with nobody logged in.
    pub(crate) fn anonymous(self) -> Self {
        Self { token: None, ..self }
    }

    /// This server, with the holder of another token.
    pub(crate) fn with_token(self, token: Token) -> Self {
        Self { token: Some(token), ..self }
    }

    pub(crate) const fn server(&self) -> &ServerUrl {
        &self.server
    }

    pub(crate) fn token(&self) -> Option<&SecretString> {
        self.token.as_ref().map(|token| &token.secret)
    }

    pub(crate) async fn login(&self, username: &str, password: &SecretString) -> Result<LoggedIn> {
        let body = json!({ "username": username, "password": password.expose_secret() });
        self.json(self.request(Method::POST, self.at(&["auth", "login"])).json(&body)).await
    }

    pub(crate) async fn logout(&self) -> Result<()> {
        self.send(self.request(Method::POST, self.at(&["auth", "logout"]))).await.map(drop)
    }

    /// The address of the first page of a query.
    pub(crate) fn books_url(&self, parameters: &[(&str, String)]) -> Url {
        let mut url = self.at(&["books"]);
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        url
    }

    /// The page at an address of [`books_url`](Self::books_url) or of another page.
    pub(crate) async fn page(&self, url: Url) -> Result<Page> {
        let response = self.send(self.request(Method::GET, url.clone())).await?;
        let headers = response.headers().clone();
        let books = self.read(response).await?;
        let next = match answer::next_link(&headers) {
            Some(link) => Some(self.server.follow(&url, link).ok_or_else(|| {
                self.stranger(format!("the next page is said to be elsewhere, at {link}"))
            })?),
            None => None,
        };
        Ok(Page { books, total: answer::total(&headers), next })
    }

    pub(crate) async fn book(&self, id: &str) -> Result<Book> {
        self.json(self.request(Method::GET, self.at(&["books", id]))).await
    }

    pub(crate) async fn create(&self, fields: &Map<String, Value>) -> Result<Book> {
        self.json(self.request(Method::POST, self.at(&["books"])).json(fields)).await
    }

    /// Changes the fields that are given, only if the book is at `version` where one is given.
    pub(crate) async fn update(
        &self,
        id: &str,
        fields: &Map<String, Value>,
        version: Option<u64>,
    ) -> Result<Book> {
        let mut request = self.request(Method::PATCH, self.at(&["books", id])).json(fields);
        if let Some(version) = version {
            request = request.header(header::IF_MATCH, format!("\"{version}\""));
        }
        self.json(request).await
    }

    pub(crate) async fn delete(&self, id: &str) -> Result<()> {
        self.send(self.request(Method::DELETE, self.at(&["books", id]))).await.map(drop)
    }

    fn at(&self, parts: &[&str]) -> Url {
        self.server.at(["api"].into_iter().chain(parts.iter().copied()))
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.http.request(method, url).header(header::ACCEPT, "application/json");
        match &self.token {
            Some(token) => request.bearer_auth(token.secret.expose_secret()),
            None => request,
        }
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        let response = self.send(request).await?;
        self.read(response).await
    }

    /// The answer, if it is a "yes".
    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let response = request.send().await.map_err(|error| self.lost(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if status.is_redirection() {
            let to = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
            let to = to.unwrap_or("nowhere").to_owned();
            return Err(Error::Moved { server: self.server.clone(), to });
        }
        let headers = response.headers().clone();
        let body = response.bytes().await.map_err(|error| self.lost(&error))?;
        let env_token = self.token.as_ref().is_some_and(|token| token.from_env);
        answer::refusal(&self.server, status, &headers, &body, env_token)
            .ok_or_else(|| self.stranger(format!("{status} without a reason")))
            .and_then(|refusal| Err(Error::Refused(Box::new(refusal))))
    }

    async fn read<T: DeserializeOwned>(&self, response: Response) -> Result<T> {
        let body = response.bytes().await.map_err(|error| self.lost(&error))?;
        serde_json::from_slice(&body)
            .map_err(|error| self.stranger(format!("its answer cannot be read: {error}")))
    }

    fn stranger(&self, what: String) -> Error {
        Error::Stranger { server: self.server.clone(), what }
    }

    fn lost(&self, error: &reqwest::Error) -> Error {
        let reason = if error.is_timeout() {
            format!("no answer within {} s (--timeout)", self.timeout.as_secs_f64())
        } else {
            answer::root_cause(error)
        };
        Error::Unreachable { server: self.server.clone(), reason }
    }
}
