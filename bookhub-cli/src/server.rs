//! The address of a server: which ones are accepted, and what is where on it. Must not know what
//! is sent there.

use std::{fmt, str::FromStr};

use url::{Host, Url};

/// Where a server is: `http` or `https`, without a password, and without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerUrl(Url);

impl ServerUrl {
    /// Where a server is of which nobody has said where it is.
    pub(crate) const DEFAULT: &str = "http://localhost:5000";

    /// The address of something on the server, by the parts of its path.
    pub(crate) fn at<'a>(&self, parts: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        url
    }

    /// Where its live updates are.
    pub(crate) fn websocket(&self) -> String {
        let url = self.at(["ws"]);
        url.as_str().replacen("http", "ws", 1)
    }

    /// Where a link that stood in an answer leads; nowhere if it leads to another server.
    pub(crate) fn follow(&self, from: &Url, link: &str) -> Option<Url> {
        let next = from.join(link).ok()?;
        (next.origin() == self.0.origin()).then_some(next)
    }

    /// Whether it is this very machine.
    pub(crate) fn is_local(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// Whether what is sent to it can be read on the way.
    pub(crate) fn is_overheard(&self) -> bool {
        self.0.scheme() == "http" && !self.is_local()
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl FromStr for ServerUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let example = "such as http://localhost:5000";
        let url =
            Url::parse(text.trim()).map_err(|error| format!("{error}; give a URL {example}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("it must start with http:// or https://, {example}"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it must not hold a password; use `bookhub login`".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(format!("it must end with its path, {example}"));
        }
        Ok(Self(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> ServerUrl {
        text.parse().unwrap()
    }

    #[test]
    fn one_server_has_one_name() {
        for text in ["http://LOCALHOST:80", "http://localhost/", " http://localhost "] {
            assert_eq!(server(text).to_string(), "http://localhost", "{text}");
        }
        for text in ["localhost:5000", "ftp://a", "http://a:b@c", "http://a/?b", "http://", ""] {
            assert!(text.parse::<ServerUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn paths_stand_below_the_servers_own() {
        let server = server("https://shop.example/books/");
        let url = server.at(["api", "books", "a/b?c"]);
        assert_eq!(url.as_str(), "https://shop.example/books/api/books/a%2Fb%3Fc");
        assert_eq!(server.websocket(), "wss://shop.example/books/ws");
    }

    #[test]
    fn a_link_to_another_server_leads_nowhere() {
        let server = server("http://localhost:5000");
        let from = server.at(["api", "books"]);
        let next = server.follow(&from, "/api/books?cursor=x").unwrap();
        assert_eq!(next.as_str(), "http://localhost:5000/api/books?cursor=x");
        assert_eq!(server.follow(&from, "http://evil.example/api/books"), None);
    }

    #[test]
    fn only_other_machines_without_tls_are_overheard() {
        assert!(server("http://shop.example").is_overheard());
        for text in ["http://127.0.0.1:1", "http://[::1]", "http://localhost", "https://a.b"] {
            assert!(!server(text).is_overheard(), "{text}");
        }
    }
}
