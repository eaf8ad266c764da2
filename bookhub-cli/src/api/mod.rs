//! A server over HTTP: logins, and requests with typed answers and typed errors. Must not know who
//! asks, or how answers are shown; what is asked of the books is in `shelves/api.rs`.

mod answer;

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, header, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::json;
use url::Url;

pub(crate) use self::answer::{next_link, total};
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

    pub(crate) fn at(&self, parts: &[&str]) -> Url {
        self.server.at(["api"].into_iter().chain(parts.iter().copied()))
    }

    pub(crate) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.http.request(method, url).header(header::ACCEPT, "application/json");
        match &self.token {
            Some(token) => request.bearer_auth(token.secret.expose_secret()),
            None => request,
        }
    }

    pub(crate) async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        let response = self.send(request).await?;
        self.read(response).await
    }

    /// The answer, if it is a "yes".
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response> {
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

    pub(crate) async fn read<T: DeserializeOwned>(&self, response: Response) -> Result<T> {
        let body = response.bytes().await.map_err(|error| self.lost(&error))?;
        serde_json::from_slice(&body)
            .map_err(|error| self.stranger(format!("its answer cannot be read: {error}")))
    }

    pub(crate) fn stranger(&self, what: String) -> Error {
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
