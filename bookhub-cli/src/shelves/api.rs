//! The books behind a server: the part of the HTTP API that is about them.

use async_trait::async_trait;
use reqwest::{Method, header};
use serde_json::{Map, Value};
use url::Url;

use super::{Book, Next, Page, Shelves};
use crate::{
    api::{Api, next_link, total},
    error::Result,
};

#[async_trait]
impl Shelves for Api {
    fn name(&self) -> String {
        self.server().to_string()
    }

    async fn page(&self, parameters: &[(&str, String)], next: Option<&Next>) -> Result<Page> {
        let url = match next {
            Some(Next(url)) => Url::parse(url).map_err(|error| self.stranger(error.to_string()))?,
            None => first_page(self.at(&["books"]), parameters),
        };
        let response = self.send(self.request(Method::GET, url.clone())).await?;
        let headers = response.headers().clone();
        let books = self.read(response).await?;
        let next = match next_link(&headers) {
            Some(link) => Some(self.server().follow(&url, link).ok_or_else(|| {
                self.stranger(format!("the next page is said to be elsewhere, at {link}"))
            })?),
            None => None,
        };
        Ok(Page { books, total: total(&headers), next: next.map(|url| Next(url.into())) })
    }

    async fn book(&self, id: &str) -> Result<Book> {
        self.json(self.request(Method::GET, self.at(&["books", id]))).await
    }

    async fn create(&self, fields: &Map<String, Value>) -> Result<Book> {
        self.json(self.request(Method::POST, self.at(&["books"])).json(fields)).await
    }

    async fn update(
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

    async fn delete(&self, id: &str) -> Result<()> {
        self.send(self.request(Method::DELETE, self.at(&["books", id]))).await.map(drop)
    }
}

fn first_page(mut url: Url, parameters: &[(&str, String)]) -> Url {
    if !parameters.is_empty() {
        url.query_pairs_mut().extend_pairs(parameters);
    }
    url
}
